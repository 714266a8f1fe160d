// The report of `d16 check equivariance`: one HTML file with filters, feature maps, errors as tables and plots.
#pragma once
#include <string>

#include <d16/nn/equivariance.hpp>

namespace tool {

struct EquivarianceSubject {
  std::string weights, network, picture;  ///< the file; what it holds; "a smooth test picture", "m31.fits"
  d16::nn::Stage* net = nullptr;
  d16::nn::TurnedImage image;
  double seconds = 0;
};

/// "r2m": first the mirror, then the turn by two steps; "e" is the identity.
std::string element_name(d16::Group group, int element);
/// "90° after a mirror".
std::string turn_name(d16::Turn turn);

std::string equivariance_html(EquivarianceSubject const& subject, d16::nn::EquivarianceReport const& report);

}  // namespace tool
