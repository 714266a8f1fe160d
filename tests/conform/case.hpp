// A conformance case as it lies in its file, and one run of it on one backend.
#pragma once
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include <d16/core/tensor.hpp>
#include <d16/io/json.hpp>
#include <d16/io/safetensors.hpp>
#include <d16/kernels/group_conv2d.hpp>

namespace d16::conform {

/// A file: inputs, attributes, expected outputs and gradients.
struct Case {
  std::string path, name, op;
  io::Json attrs;
  double rtol = 0, atol = 0;
  io::TensorFile file;

  bool has(std::string const& tensor) const { return file.has(tensor); }
  Tensor tensor(std::string const& name) const { return file.at(name); }
};

/// Where and how to compute: one case may be run several times.
struct Backend {
  std::string name;
  Device device;
};

/// Thrown by a runner that cannot run this case here; the case is then skipped, with the reason printed.
struct Skip {
  std::string reason;
};

/// What an op gave. A gradient is that of the input as it was handed out, unless a function here replaces it.
struct Outcome {
  std::map<std::string, Tensor> outputs;
  std::map<std::string, std::function<Tensor()>> gradients{};
};

/// One run of a case: hands out its inputs on the device, in the order of axes of the file, ready for gradients.
class Run {
 public:
  Run(Case const& c, Device device, kernels::Path path) : case_(c), device_(device), path_(path) {}

  io::Json const& attrs() const { return case_.attrs; }
  std::string const& file() const { return case_.path; }
  Device device() const { return device_; }
  kernels::Path path() const { return path_; }
  bool has(std::string const& name) const { return case_.has("in." + name); }

  /// The same tensor each time; a clone of the file's.
  Tensor in(std::string const& name) {
    Tensor& leaf = leaves_[name];
    if (!leaf.defined()) {
      leaf = case_.tensor("in." + name).clone().to(device_).detach();
      if (case_.has("grad." + name)) leaf.set_requires_grad();
    }
    return leaf;
  }
  /// What the file expects: only for answers that have no one form, to write ours in the form of the file's.
  Tensor expected(std::string const& name) const { return case_.tensor("out." + name); }
  Tensor optional(std::string const& name) { return has(name) ? in(name) : Tensor(); }

 private:
  Case const& case_;
  Device device_;
  kernels::Path path_;
  std::map<std::string, Tensor> leaves_;
};

using Runner = std::function<Outcome(Run&)>;

/// How an op of the table is computed. Plain functions of the host (scores, statistics) run on the backend cpu only.
struct Op {
  Runner run;
  bool on_devices = true;
};
using OpTable = std::map<std::string, Op>;

/// Errors   FileError, with the file's name, for anything that is not a case.
inline Case load_case(std::string const& path) {
  Case c{.path = path, .name = {}, .op = {}, .attrs = {}, .file = io::read_safetensors(path)};
  size_t slash = path.rfind('/');
  c.name = path.substr(slash == path.npos ? 0 : slash + 1);
  c.name = c.name.substr(0, c.name.rfind(".safetensors"));
  auto text_of = [&](char const* key) {
    auto found = c.file.metadata.find(key);
    require<FileError>(found != c.file.metadata.end(), path, ": no \"", key,
                       "\" in __metadata__; it is not a conformance case");
    return found->second;
  };
  auto number_of = [&](char const* key) {
    std::string text = text_of(key);
    char* end = nullptr;
    double number = std::strtod(text.c_str(), &end);
    require<FileError>(!text.empty() && *end == '\0' && number >= 0, path, ": ", key, " is \"", text,
                       "\"; it must be a number from 0 up");
    return number;
  };
  c.op = text_of("op");
  c.rtol = number_of("rtol");
  c.atol = number_of("atol");
  c.attrs = io::parse_json(text_of("attrs"), path + ": attrs");
  require<FileError>(c.attrs.is_object(), path, ": attrs is not a JSON object");
  bool outputs = false, gradients = false, cotangent = false;
  for (auto const& [name, tensor] : c.file.tensors) {
    outputs = outputs || name.starts_with("out.");
    cotangent = cotangent || (name.starts_with("cot.") && c.file.has("out." + name.substr(4)));
    if (!name.starts_with("grad.")) continue;
    gradients = true;
    require<FileError>(c.file.has("in." + name.substr(5)), path, ": ", name, " has no in.", name.substr(5));
  }
  require<FileError>(outputs, path, ": no tensor \"out.*\"; it is not a conformance case");
  require<FileError>(cotangent || !gradients, path, ": gradients need the upstream gradient \"cot.<output>\"");
  return c;
}

}  // namespace d16::conform
