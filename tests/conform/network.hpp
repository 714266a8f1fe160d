// Conformance runner of whole networks: a case made by another library, its weights beside it in d16's own form.
#pragma once
#include <filesystem>
#include <optional>

#include <d16/io/checkpoint.hpp>

#include "case.hpp"
#include "layout.hpp"

namespace d16::conform {

/// CASE.weights.safetensors, as tools/escnn_to_d16.py --case writes it.
inline std::string weights_beside(std::string const& file) {
  std::string path = file.substr(0, file.rfind(".safetensors")) + ".weights.safetensors";
  if (!std::filesystem::exists(path)) throw Skip{"no " + path + "; tools/escnn_to_d16.py --case " + file + " makes it"};
  return path;
}

/// In evaluation, and without gradients unless the case has some: as Predictor runs a network.
inline Outcome run_network_io(Run& r) {
  LoadedNetwork loaded = load_network(weights_beside(r.file()));
  loaded.net.module()->to(r.device());
  loaded.net.module()->walk([&](nn::Module& m) {
    if (auto* conv = dynamic_cast<nn::detail::SteerableConv*>(&m)) conv->options.path = r.path();
  });
  std::optional<NoGrad> inference;
  if (!r.in("x").requires_grad()) inference.emplace();
  return {{{"logits", loaded.net(to_engine(r.in("x")).contiguous())}}};
}

inline OpTable network_ops() { return {{"network_io", {run_network_io}}}; }

}  // namespace d16::conform
