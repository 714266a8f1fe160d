// Where a tensor lives and which kernels compute on it.
#pragma once
#include <string>
#include <string_view>

#include "error.hpp"

namespace d16 {

/// cpu            host memory, fast kernels
/// reference      host memory, the obvious double loops of kernels/reference: slow, right, easy to step through
/// cuda           a GPU; needs a program that calls use_cuda()
/// cuda_emulated  the same CUDA kernels run on the host; needs use_cuda_emulated()
struct Device {
  enum class Kind : unsigned char { cpu, reference, cuda, cuda_emulated };
  Kind kind = Kind::cpu;
  int index = 0;

  constexpr Device() = default;
  constexpr Device(Kind k, int i = 0) : kind(k), index(i) {}
  Device(char const* name) : Device(std::string_view(name)) {}
  Device(std::string const& name) : Device(std::string_view(name)) {}
  Device(std::string_view name) {
    std::string_view base = name.substr(0, name.find(':'));
    if (base == "cpu") kind = Kind::cpu;
    else if (base == "reference") kind = Kind::reference;
    else if (base == "cuda") kind = Kind::cuda;
    else if (base == "cuda_emulated") kind = Kind::cuda_emulated;
    else
      throw DeviceError(d16::text("device \"", name, "\": it is one of cpu, reference, cuda, cuda:1, cuda_emulated"));
    if (base.size() == name.size()) return;
    std::string_view digits = name.substr(base.size() + 1);
    bool number = !digits.empty() && digits.size() < 4 && digits.find_first_not_of("0123456789") == digits.npos;
    require<DeviceError>(number && kind == Kind::cuda, "device \"", name, "\": write an index only as in cuda:0");
    for (char digit : digits) index = 10 * index + (digit - '0');
  }

  /// True when the host can read the memory.
  constexpr bool is_host() const { return kind != Kind::cuda; }
  std::string text() const {
    switch (kind) {
      case Kind::cpu: return "cpu";
      case Kind::reference: return "reference";
      case Kind::cuda: return "cuda:" + std::to_string(index);
      case Kind::cuda_emulated: return "cuda_emulated";
    }
    return "?";
  }
  friend constexpr bool operator==(Device const&, Device const&) = default;
};

}  // namespace d16
