// FITS products of a run: what was measured, denoised and how sure, in one file for each object.
#pragma once
#include <string>
#include <vector>

#include <d16/io/fits_header.hpp>

#include "pipeline.hpp"

namespace tool {

/// Planes of the frame in the units of the input, (size,size).
struct ProductPlanes {
  d16::Tensor raw, error, denoised, std, residual, mask;  ///< mask: uint8, 1 where pixels were filled
};

/// ID.fits: SCI, ERR, DENOISED, STD, RESID_SIGMA, MASK with coordinates, units and how it was made.
void write_products(std::string const& path, Object const& object, ProductPlanes const& planes,
                    std::vector<d16::io::FitsCard> const& made);

}  // namespace tool
