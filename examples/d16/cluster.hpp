// d16 cluster: t-SNE, HDBSCAN and a forest on the columns of a catalogue, and the report on what the clusters know.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include <d16/core/tensor.hpp>
#include <d16/learn/random_forest.hpp>

#include "common.hpp"
#include "join.hpp"
#include "photometry.hpp"

namespace tool {

struct ClusterOptions : Common {
  PhotometryOptions photometry;
  JoinOptions join;
  std::string out;
  std::vector<std::string> features{"magnitudes", "size", "colours"};
  std::vector<std::string> columns;  ///< of the catalogue, in place of the photometry
  double min_snr = 0;
  bool sound = false;  ///< only rows that pass the cuts of d16 photoz
  int64_t limit = 0;   ///< 0: all rows; else so many, evenly spread
  double perplexity = 30;
  int64_t iterations = 500, min_cluster = 0, trees = 100;
  std::vector<double> z_edges{4, 6.5, 10};
  std::string label, positive = "disk", confident;
  std::vector<std::string> negatives;
};
Json cluster(ClusterOptions const& o);

/// The table that is clustered: robustly scaled columns of the rows that have enough of them.
struct ClusterFeatures {
  std::vector<std::string> names;
  std::vector<size_t> rows;  ///< of the catalogue
  d16::Tensor x;             ///< (rows, names) float32, no NaN
  /// One of each for a feature: before scaling.
  std::vector<double> median, spread, error;  ///< error: median of what the fluxes' errors make of it; NaN: not known
  std::vector<int64_t> missing, limits, clipped;
  std::vector<std::string> notes;
};

/// What is known of the rows besides their features, in the order of the catalogue; NaN and empty where unknown.
struct ClusterCatalogue {
  HighzRows rows;
  Photometry photometry;  ///< without filters when columns are clustered
  std::vector<double> z;
  std::string z_column;
  std::vector<bool> bimodal, confident;
  std::vector<std::string> label;
  std::vector<std::string> notes;
};
/// Errors   FileError: no such column, fewer than two features.
ClusterCatalogue read_cluster_catalogue(ClusterOptions const& o);
ClusterFeatures cluster_features(ClusterCatalogue const& c, ClusterOptions const& o);

/// A score with its error.
struct Score {
  double value = 0, error = 0;
};

/// Which redshift bin, or -1.
int64_t bin_of(double z, std::vector<double> const& edges);
std::vector<std::string> bin_names(std::vector<double> const& edges);

struct ClusterResults {
  ClusterOptions const& options;
  ClusterCatalogue const& catalogue;
  ClusterFeatures const& features;
  d16::Tensor map = {};               ///< (rows, 2)
  std::vector<int64_t> cluster = {};  ///< -1 noise
  std::vector<double> probability = {};
  int64_t count = 0;
  double noise = 0, divergence = 0;
  double silhouette_map = 0, silhouette_features = 0;  ///< of the rows in clusters
  double tsne_seconds = 0, hdbscan_seconds = 0, forest_seconds = 0;

  std::vector<int64_t> forest_cluster = {};  ///< by a forest that did not see the row (out of bag); -1: noise row
  d16::Tensor cluster_confusion = {};        ///< (count, count): cluster, forest
  double cluster_accuracy = 0;
  std::vector<double> importance = {};  ///< of the features for the clusters

  std::vector<int64_t> z_bin = {};                             ///< of the redshift column, or -1
  std::vector<int64_t> forest_bin = {}, cluster_bin = {};      ///< by a forest on features, by the cluster's majority
  d16::Tensor forest_confusion = {}, majority_confusion = {};  ///< of bins, rows are the truth
  std::vector<int64_t> best_cluster = {};                      ///< of each bin, with most of its rows
  std::vector<double> best_share = {}, best_purity = {};

  bool labelled = false;
  int64_t label_rows = 0, label_positive = 0, confident_rows = 0;
  Score auc = {}, auc_confident = {};
  std::vector<double> label_importance = {}, label_probability = {};  ///< probability: of each row, out of fold; NaN
};

/// Pictures of the map, (H,W,3).
d16::Tensor map_by_redshift(ClusterResults const& r);
d16::Tensor map_by_cluster(ClusterResults const& r);
d16::Tensor map_by_confusion(ClusterResults const& r);
d16::Tensor map_by_bins(ClusterResults const& r);
d16::Tensor map_by_label(ClusterResults const& r);
/// Legends of the first two, as HTML.
std::string redshift_legend(ClusterResults const& r);

struct ClusterPicture {
  std::string name, png, caption, legend;
};
std::vector<ClusterPicture> cluster_pictures(ClusterResults const& r);
std::string cluster_report(ClusterResults const& r, std::vector<ClusterPicture> const& pictures);

}  // namespace tool
