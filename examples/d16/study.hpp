// What studies share: results that are appended line by line, so that one goes on where it was killed, and how numbers
// with their errors are written.
#pragma once
#include <string>
#include <vector>

#include <d16/learn/intervals.hpp>

#include "common.hpp"

namespace tool {

/// The lines of results.jsonl, one of each finished unit. Errors   FileError: a damaged line.
std::vector<Json> study_results(std::string const& folder);
/// The whole file anew with one line more: after kill -9 it has the line or has it not.
void append_study_result(std::string const& folder, Json const& line);
bool is_study_unit_done(std::vector<Json> const& results, std::string const& unit);
std::string study_logits_path(std::string const& folder, std::string const& unit);

/// Keeps other processes out of the folder of a study while it lives; it ends with the process, however that ends.
/// Errors   FileError: another one is there, or the folder cannot be written.
class StudyLock {
 public:
  explicit StudyLock(std::string const& folder);
  ~StudyLock();
  StudyLock(StudyLock const&) = delete;
  StudyLock& operator=(StudyLock const&) = delete;

 private:
  int file_;
};

/// "0.953 ± 0.004" over runs; of one run the number alone, of none a dash.
std::string spread_text(std::vector<double> values, int places = 3);
/// "0.953 [0.946, 0.959] (4844 of 5089)".
std::string with_interval(d16::learn::Fraction const& f);
std::string with_interval(d16::learn::Bootstrap const& b);

/// Tables in Markdown, and words between them, as HTML.
std::string html_of_markdown(std::string const& markdown_table);

}  // namespace tool
