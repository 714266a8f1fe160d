// Networks in files: weights by name, and beside them all that is needed to make the network again.
#pragma once
#include <cmath>
#include <set>

#include "../nn/build.hpp"
#include "../ops/weights.hpp"
#include "safetensors.hpp"

namespace d16 {

namespace detail {

/// Tensors of a checkpoint that are no weights: the optimiser's, a mean of weights, and a counter that other libraries
/// keep.
inline bool is_weight(std::string_view name) {
  return !name.starts_with("optimiser.") && !name.starts_with("weight_mean.") && !name.ends_with("num_batches_tracked");
}

inline io::TensorFile weights_file(nn::Module& net, io::Json const& about) {
  io::TensorFile file;
  file.metadata["format"] = "d16 1";
  if (io::Json network = net.describe(); !network.is_null()) file.metadata["network"] = network.dump();
  if (Group group = net.group()) file.metadata["group"] = group.text();
  if (!about.is_null()) file.metadata["about"] = about.dump();
  for (nn::Named const& named : net.named_tensors()) file.tensors.emplace_back(named.name, named.tensor.detach());
  return file;
}

inline std::string first_and_count(std::vector<std::string> const& names) {
  return text('"', names[0], '"', names.size() > 1 ? text(" and ", names.size() - 1, " more") : "");
}

/// Throws unless the file has exactly the weights of the network, in its shapes, for its group.
inline void check_weights(io::TensorFile const& file, std::vector<nn::Named> const& mine, Group group) {
  std::set<std::string> needed;
  std::vector<std::string> missing, unexpected;
  bool same_shapes = true;
  for (nn::Named const& named : mine) {
    needed.insert(named.name);
    Tensor const* found = file.find(named.name);
    if (!found) missing.push_back(named.name);
    else same_shapes = same_shapes && found->shape() == named.tensor.shape();
  }
  for (auto const& [name, tensor] : file.tensors)
    if (is_weight(name) && !needed.count(name)) unexpected.push_back(name);

  auto stored = file.metadata.find("group");
  std::string theirs = stored == file.metadata.end() ? "" : stored->second;
  bool same_all = same_shapes && missing.empty() && unexpected.empty();
  require<WeightsError>(theirs.empty() || theirs == group.text(), file.source, " is for ", theirs, ", this net is ",
                        group, same_all ? ": same shapes, other meaning" : "");
  require<WeightsError>(missing.empty(), file.source, ": no ", missing.empty() ? "" : first_and_count(missing),
                        ", which this net needs", unexpected.empty() ? "" : "; it has " + first_and_count(unexpected),
                        "; it holds the weights of another network");
  require<WeightsError>(unexpected.empty(), file.source, ": has ",
                        unexpected.empty() ? "" : first_and_count(unexpected),
                        ", which this net does not have; it holds the weights of another network");
  for (nn::Named const& named : mine) {
    Tensor const& found = file.at(named.name);
    require<WeightsError>(found.shape() == named.tensor.shape(), file.source, ": \"", named.name, "\" is ",
                          sizes_text(found.shape()), ", this net needs ", sizes_text(named.tensor.shape()),
                          "; it holds the weights of another network");
    require<WeightsError>(found.dtype() == named.tensor.dtype(), file.source, ": \"", named.name, "\" is ",
                          name_of(found.dtype()), ", this net needs ", name_of(named.tensor.dtype()),
                          "; convert the file");
  }
}

inline void copy_weights(io::TensorFile const& file, nn::Module& net) {
  NoGrad off;
  std::vector<nn::Named> mine = net.named_tensors();
  check_weights(file, mine, net.group());
  for (nn::Named& named : mine) {
    named.tensor.assign(file.at(named.name));
  }
}

inline io::Json metadata_json(io::TensorFile const& file, std::string const& key) {
  auto found = file.metadata.find(key);
  return found == file.metadata.end() ? io::Json() : io::parse_json(found->second, file.source + ": " + key);
}

}  // namespace detail

/// Writes parameters and buffers by name, with the description of the network and its group in the metadata, whole or
/// not at all. `about` is kept beside them: class names, threshold, how images are prepared.
/// A network with lambdas or modules of one's own has no description: load() takes its file, load_network() does not.
/// Errors   FileError when the file cannot be written.
inline void save(nn::Module& net, std::string const& path, io::Json about = {}) {
  io::write_safetensors(path, detail::weights_file(net, about));
}

/// Copies the weights of a file into a network of the same shape; nothing is copied unless everything fits.
/// Names and layouts are PyTorch's, so that a state_dict of the same modules, saved as safetensors, loads too.
/// Errors   FileError for a file that is not safetensors; WeightsError: names missing or unexpected, other shapes, another
///          group ("disk.safetensors is for cyclic(16), this net is dihedral(8): same shapes, other meaning").
inline void load(nn::Module& net, std::string const& path) { detail::copy_weights(io::read_safetensors(path), net); }

/// A network with its weights, made from nothing but a file.
struct LoadedNetwork {
  nn::Stage net;
  io::Json network;  ///< its description
  io::Json about;    ///< what save() was given
};

/// Makes the network that the file describes and fills in its weights; it is in evaluation.
/// Errors   as load(), and WeightsError when the file has no description or one that d16 cannot build.
inline LoadedNetwork load_network(std::string const& path) {
  io::TensorFile file = io::read_safetensors(path);
  io::Json network = detail::metadata_json(file, "network");
  require<WeightsError>(!network.is_null(), path,
                        ": does not say which network it is for; make that network and use load()");
  try {
    int64_t weights = 0;
    for (auto const& [name, tensor] : file.tensors) weights += tensor.numel();
    nn::WeightLimit limit(weights);
    LoadedNetwork out{nn::build(network), network, detail::metadata_json(file, "about")};
    nn::Module* module = out.net.module();
    require<WeightsError>(module != nullptr, path, ": describes a function without weights");
    detail::copy_weights(file, *module);
    module->eval();
    return out;
  } catch (ValueError const& error) {
    throw WeightsError(text(path, ": ", error.what()));
  }
}

}  // namespace d16
