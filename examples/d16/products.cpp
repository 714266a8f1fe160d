// FITS products of a run: bodies of products.hpp.
#include "products.hpp"

#include <d16/io/fits.hpp>

namespace tool {

namespace io = d16::io;

namespace {

/// Band, coordinates of the frame's pixels and the stretch that the network saw.
std::vector<io::FitsCard> frame_cards(Object const& object) {
  Frame const& f = object.frame;
  std::vector<io::FitsCard> cards{{"OBJECT", object.id}, {"BAND", f.bands[0], "filter"}};
  if (f.wcs.known) {
    std::vector<io::FitsCard> const wcs = io::wcs_cards(f.wcs);
    cards.insert(cards.end(), wcs.begin(), wcs.end());
    if (f.wcs.doubtful)
      cards.push_back({"COMMENT", std::string("the header had lost its rotation: directions are wrong")});
  }
  if (!object.stretch.bands.empty()) {
    auto const& stretch = object.stretch.bands[0];
    cards.push_back({"D16SKY", stretch.sky, "sky level that the network saw"});
    cards.push_back({"D16SIG", stretch.sigma, "noise of a pixel of the frame"});
    cards.push_back({"D16WHITE", stretch.white, "level above the sky that became 1"});
    cards.push_back({"D16SOFT", object.stretch.softness, "y ~ asinh((v - D16SKY) / (D16SOFT * D16SIG))"});
  }
  cards.push_back({"D16PIX", f.side / double(f.size), "pixels of the input per pixel"});
  return cards;
}

}  // namespace

void write_products(std::string const& path, Object const& object, ProductPlanes const& p,
                    std::vector<io::FitsCard> const& made) {
  std::vector<io::FitsPlane> planes;
  std::string const& unit = object.frame.units[0];
  auto add = [&](char const* name, d16::Tensor const& pixels, std::string const& of, char const* what) {
    if (!pixels.defined()) return;
    std::vector<io::FitsCard> cards = frame_cards(object);
    if (!of.empty()) cards.push_back({"BUNIT", of});
    cards.push_back({"COMMENT", std::string(what)});
    cards.insert(cards.end(), made.begin(), made.end());
    planes.push_back({name, pixels.contiguous(), cards});
  };
  add("SCI", p.raw, unit, "the frame that the networks saw, neighbours and bad pixels filled");
  add("ERR", p.error, unit, "1 sigma of its pixels");
  add("DENOISED", p.denoised, unit, "the same without noise and neighbours");
  add("STD", p.std, unit, "1 sigma of DENOISED: predicted, or its spread when noise as in ERR is added again");
  add("RESID_SIGMA", p.residual, "", "(SCI - DENOISED) / ERR");
  add("MASK", p.mask, "", "1: masked or without data, filled in SCI");
  io::write_fits(path, planes);
}

}  // namespace tool
