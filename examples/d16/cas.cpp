// The forest of measured shapes: bodies of cas.hpp.
#include "cas.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <stamp.hpp>

#include <d16/data/crc32.hpp>
#include <d16/io/atomic_file.hpp>
#include <d16/io/csv.hpp>
#include <d16/io/read_file.hpp>

namespace tool {

using d16::FileError;
using d16::require;
using d16::Tensor;
using d16::text;
using d16::WeightsError;
namespace io = d16::io;
namespace learn = d16::learn;

namespace {

constexpr int64_t folds = 5;

/// Galaxies with measured shapes and a visual class.
struct CasTable {
  std::vector<CasFeatures> rows;
  std::vector<int64_t> disk, fold;
  std::vector<bool> confident;
  size_t size() const { return rows.size(); }
};

/// The visual classes of a table by the id of the galaxy: disk, spheroid, peculiar; others are left out.
struct Visual {
  bool disk, confident;
};
std::map<std::string, Visual> read_classes(std::string const& path) {
  io::Table table = io::read_csv(path);
  std::vector<std::string> id = table.strings("unique_id"), kind = table.strings("class"),
                           sure = table.strings("confident");
  std::map<std::string, Visual> out;
  for (size_t i = 0; i < id.size(); ++i)
    if (kind[i] == "disk" || kind[i] == "spheroid" || kind[i] == "peculiar")
      out[id[i]] = {kind[i] == "disk", lower(sure[i]) == "true"};
  return out;
}

CasTable read_cas(std::string const& folder) {
  std::map<std::string, Visual> classes = read_classes(join(folder, "aggregated_classifications.csv"));
  std::string path = join(folder, "morphology_morfometryka.csv");
  io::Table table = io::read_csv(path);
  std::vector<std::string> id = table.strings("unique_id");
  std::array<std::vector<double>, 6> columns;
  char const* names[] = {"C1", "A0", "G", "M20", "nFit2D", "qFit2D"};
  for (size_t f = 0; f < columns.size(); ++f) columns[f] = table.numbers(names[f]);
  CasTable out;
  for (size_t i = 0; i < id.size(); ++i) {
    auto found = classes.find(id[i]);
    if (found == classes.end()) continue;
    CasFeatures row;
    for (size_t f = 0; f < row.size(); ++f) row[f] = std::isfinite(columns[f][i]) ? columns[f][i] : double(NAN);
    row[0] *= 5;  // their C1 is log10(r80 / r20)
    out.rows.push_back(row), out.disk.push_back(found->second.disk);
    out.confident.push_back(found->second.confident);
    out.fold.push_back(int64_t(d16::data::crc32(id[i]) % uint32_t(folds)));
  }
  require<FileError>(out.size() > 100, path, ": ", out.size(),
                     " galaxies with shapes and a class disk, spheroid or peculiar; 100 are needed");
  return out;
}

/// Rows for the learners; what is beyond any sensible number is missing.
Tensor features(std::vector<CasFeatures> const& rows) {
  Tensor x = d16::empty({int64_t(rows.size()), int64_t(cas_names().size())}, {.device = d16::Device()});
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t f = 0; f < rows[i].size(); ++f)
      x.data<float>()[i * rows[i].size() + f] = std::abs(rows[i][f]) < 1e4 ? float(rows[i][f]) : NAN;
  return x;
}

learn::RandomForest fit(CasTable const& table, std::vector<size_t> const& which, TrainCasOptions const& o) {
  std::vector<CasFeatures> rows;
  std::vector<int64_t> labels;
  for (size_t i : which) rows.push_back(table.rows[i]), labels.push_back(table.disk[i]);
  return learn::fit_random_forest(
      {.x = features(rows), .labels = d16::from(labels, {int64_t(labels.size())}), .classes = 2, .names = cas_names()},
      {.trees = o.trees, .min_samples_leaf = o.leaf, .max_features = 2, .seed = o.seed});
}

/// The probabilities of a disk, each galaxy by a forest that has not seen its fold.
std::vector<double> cross_validate(CasTable const& table, TrainCasOptions const& o) {
  std::vector<double> p(table.size());
  Progress progress("folds", folds);
  for (int64_t fold = 0; fold < folds; ++fold) {
    std::vector<size_t> seen, held;
    for (size_t i = 0; i < table.size(); ++i) (table.fold[i] == fold ? held : seen).push_back(i);
    std::vector<CasFeatures> rows;
    for (size_t i : held) rows.push_back(table.rows[i]);
    Tensor answers = fit(table, seen, o).probabilities(features(rows));
    for (size_t k = 0; k < held.size(); ++k) p[held[k]] = double(answers.data<float>()[2 * k + 1]);
    progress.step();
  }
  return p;
}

/// AUC and its bootstrap error, of some of the galaxies.
struct Auc {
  double value, error;
  int64_t count;
  std::string text() const { return decimals(value, 3) + " ± " + decimals(error, 3) + d16::text(" (", count, ")"); }
};
Auc auc(CasTable const& table, std::vector<double> const& p, bool confident_only, uint64_t seed) {
  std::vector<double> scores;
  std::vector<int64_t> labels;
  for (size_t i = 0; i < p.size(); ++i)
    if (!confident_only || table.confident[i]) scores.push_back(p[i]), labels.push_back(table.disk[i]);
  auto score = [&](std::vector<int64_t> const& which) {
    std::vector<double> s;
    std::vector<int64_t> l;
    for (int64_t i : which) s.push_back(scores[size_t(i)]), l.push_back(labels[size_t(i)]);
    auto disks = std::count(l.begin(), l.end(), 1);
    if (disks == 0 || disks == int64_t(l.size())) return double(NAN);
    return learn::roc_auc(d16::from(s, {int64_t(s.size())}), d16::from(l, {int64_t(l.size())}));
  };
  learn::Bootstrap b = learn::bootstrap(int64_t(scores.size()), score, {.samples = 300, .seed = seed});
  return {b.value, b.sigma, int64_t(scores.size())};
}

}  // namespace

std::vector<std::string> const& cas_names() {
  static std::vector<std::string> const names{"concentration", "asymmetry", "gini", "m20", "sersic_n", "axis_ratio"};
  return names;
}

CasForest::CasForest(std::string path) : path_(std::move(path)) {
  Json json = io::parse_json(io::read_file(path_), path_);
  try {
    forest_ = learn::random_forest_from_json(json);
    require<d16::ValueError>(forest_.classes == 2 && forest_.names == cas_names(), "it takes other columns than ",
                             "concentration, asymmetry, gini, m20, sersic_n, axis_ratio; d16 train cas makes it");
  } catch (d16::ValueError const& error) {
    throw WeightsError(path_ + ": " + error.what());
  }
  if (json.has("about")) about_ = json.at("about");
}

std::optional<CasForest> find_forest(std::string const& given) {
  if (!given.empty()) return CasForest(given);
  std::string path;
  try {
    path = find_weights("", "cas.json");
  } catch (FileError const&) {
    say("no cas.json beside the weights: p_disk_cas is left out; d16 train cas makes it");
    return {};
  }
  return CasForest(path);
}

std::vector<double> CasForest::operator()(std::vector<CasFeatures> const& rows) const {
  std::vector<double> out(rows.size(), double(NAN));
  if (rows.empty()) return out;
  Tensor p = forest_.probabilities(features(rows));
  for (size_t i = 0; i < rows.size(); ++i)
    if (std::any_of(rows[i].begin(), rows[i].end(), [](double v) { return std::isfinite(v); }))
      out[i] = double(p.data<float>()[2 * i + 1]);
  return out;
}

Json train_cas(TrainCasOptions const& o) {
  require<FileError>(ends_with(o.out, ".json"), o.out, ": a forest is written as NAME.json");
  CasTable table = read_cas(o.data);
  std::vector<double> p = cross_validate(table, o);
  Auc all = auc(table, p, false, o.seed), sure = auc(table, p, true, o.seed);
  std::vector<size_t> everything(table.size());
  for (size_t i = 0; i < everything.size(); ++i) everything[i] = i;
  Json json = learn::random_forest_to_json(fit(table, everything, o));
  Json about =
      Json::object({{"made_by", text("d16 ", d16::stamp::version, " (", d16::stamp::commit, ")")},
                    {"command", command_line()},
                    {"task", "disk against spheroid and peculiar, visual classes of CEERS"},
                    {"measured_by", "Morfometryka: its radii, asymmetry and segments are not those of d16 measure"},
                    {"galaxies", table.size()},
                    {"disks", std::count(table.disk.begin(), table.disk.end(), 1)},
                    {"folds", folds},
                    {"auc", all.value},
                    {"auc_error", all.error},
                    {"confident", sure.count},
                    {"auc_confident", sure.value},
                    {"auc_confident_error", sure.error}});
  json["about"] = about;
  io::write_file(o.out, json.dump());
  say(text("AUC of five folds: ", all.text(), " galaxies; on those of which the people were sure: ", sure.text()));
  say(text(o.out, ": ", o.trees, " trees on ", table.size(), " galaxies"));
  about["out"] = o.out;
  return about;
}

}  // namespace tool
