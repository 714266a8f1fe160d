// What studies share: bodies of study.hpp.
#include "study.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include <d16/io/atomic_file.hpp>
#include <d16/io/html.hpp>
#include <d16/io/read_file.hpp>

namespace tool {

using d16::text;
namespace html = d16::io::html;
namespace io = d16::io;
namespace learn = d16::learn;

std::vector<Json> study_results(std::string const& folder) {
  std::vector<Json> out;
  std::string path = join(folder, "results.jsonl");
  if (!is_file(path)) return out;
  std::string all = io::read_file(path);
  for (size_t at = 0, end; (end = all.find('\n', at)) != all.npos; at = end + 1)
    out.push_back(io::parse_json(all.substr(at, end - at), path));
  return out;
}

void append_study_result(std::string const& folder, Json const& line) {
  std::string path = join(folder, "results.jsonl");
  io::write_file(path, (is_file(path) ? io::read_file(path) : "") + line.dump() + "\n");
}

bool is_study_unit_done(std::vector<Json> const& results, std::string const& unit) {
  for (Json const& line : results)
    if (line.string("unit") == unit) return true;
  return false;
}

std::string study_logits_path(std::string const& folder, std::string const& unit) {
  return join(join(folder, "units"), unit + ".logits.safetensors");
}

StudyLock::StudyLock(std::string const& folder) {
  std::string path = join(folder, "lock");
  file_ = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  d16::require<d16::FileError>(file_ >= 0, path, ": cannot make this file: ", std::strerror(errno),
                               "; choose another --out");
  if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(file_);
  throw d16::FileError(text(folder, ": another study is at work in this folder; wait for it or choose another --out"));
}
StudyLock::~StudyLock() { ::close(file_); }

std::string spread_text(std::vector<double> values, int places) {
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  if (values.empty()) return "–";
  learn::Spread s = learn::spread_of_runs(values);
  return decimals(s.mean, places) + (s.runs > 1 ? " ± " + decimals(s.sigma, places) : "");
}

std::string with_interval(learn::Fraction const& f) {
  if (f.n == 0) return "–";
  return text(decimals(f.value, 3), " [", decimals(f.interval.low, 3), ", ", decimals(f.interval.high, 3), "] (",
              f.successes, " of ", f.n, ")");
}
std::string with_interval(learn::Bootstrap const& b) {
  if (!std::isfinite(b.value)) return "–";
  return text(decimals(b.value, 3), " [", decimals(b.interval.low, 3), ", ", decimals(b.interval.high, 3), "]");
}

namespace {
/// A cell; its error, interval and counts stand below the value, or wide tables would not fit into a window.
std::string html_cell(std::string const& cell) {
  size_t value = std::min(cell.find(" ["), cell.find(" ± "));
  if (value == cell.npos) return html::escape(cell);
  return text(html::escape(cell.substr(0, value)), "<small>", html::escape(cell.substr(value + 1)), "</small>");
}
}  // namespace

std::string html_of_markdown(std::string const& markdown_table) {
  if (size_t gap = markdown_table.find("\n\n"); gap != markdown_table.npos)
    return html_of_markdown(markdown_table.substr(0, gap + 1)) + html_of_markdown(markdown_table.substr(gap + 2));
  if (markdown_table.find("|---|") == markdown_table.npos) return html::paragraph(markdown_table);
  std::string out = "<div class=\"scroll\"><table>", rest;
  bool head = true;
  for (size_t at = 0, end; (end = markdown_table.find('\n', at)) != markdown_table.npos; at = end + 1) {
    std::string line = markdown_table.substr(at, end - at);
    if (line.starts_with("|---")) continue;
    if (!line.starts_with("|")) {
      rest += line + " ";
      continue;
    }
    out += head ? "<thead><tr>" : "<tr>";
    for (size_t k = 2, next; (next = line.find(" |", k)) != line.npos; k = next + 3) {
      std::string cell = line.substr(k, next - k);
      char const* names = k == 2 ? " class=\"text\">" : ">";  // of the rows, on the left
      out += head ? text("<th", names, html::escape(cell), "</th>") : text("<td", names, html_cell(cell), "</td>");
    }
    out += head ? "</tr></thead>\n<tbody>" : "</tr>\n";
    head = false;
  }
  return out + "</tbody></table></div>\n" + (rest.empty() ? "" : html::paragraph(rest));
}

}  // namespace tool
