// d16 denoise: images without noise and neighbours. FITS in the units of the input, PNG for pictures.
#include <d16/io/fits.hpp>
#include <d16/io/png.hpp>

#include "pipeline.hpp"

namespace tool {

namespace io = d16::io;

namespace {

/// Units, coordinates of the frame, and how it was made.
std::vector<io::FitsCard> cards_of(Object const& object, int k, Network const& network) {
  Frame const& f = object.frame;
  std::vector<io::FitsCard> cards{{"BAND", f.bands[size_t(k)], "filter"}};
  if (!f.units[size_t(k)].empty()) cards.push_back({"BUNIT", f.units[size_t(k)], "as in the input"});
  if (f.wcs.known)
    for (io::FitsCard const& card : io::wcs_cards(f.wcs)) cards.push_back(card);
  auto const& stretch = object.stretch.bands[size_t(k)];
  cards.push_back({"D16STRET", "y = (asinh((v - D16SKY) / s) + z) / (asinh(D16WHITE / s) + z)",
                   "s = D16SOFT D16SIG, z = asinh(5 / D16SOFT)"});
  cards.push_back({"D16SKY", stretch.sky, "sky level that the network saw"});
  cards.push_back({"D16SIG", stretch.sigma, "noise of a pixel of the frame"});
  cards.push_back({"D16WHITE", stretch.white, "level above the sky that became 1"});
  cards.push_back({"D16SOFT", object.stretch.softness, "in D16SIG: where linear turns into logarithmic"});
  cards.push_back({"D16PIX", f.side / double(f.size), "pixels of the input's red band per pixel"});
  cards.push_back({"HISTORY", command_line()});
  for (std::string const& path : network.paths())
    cards.push_back({"HISTORY", "denoiser " + base_name(path) + ": " + network.summary()});
  return cards;
}

void write_fits_bands(std::string const& path, Object const& object, Network const& network) {
  std::vector<io::FitsPlane> planes;
  for (int k = 0; k < 3; ++k) {
    std::string name = object.frame.bands[size_t(k)];
    if (k > 0 && name == object.frame.bands[size_t(k - 1)]) continue;  // one band used twice
    std::vector<io::FitsCard> cards = cards_of(object, k, network);
    planes.push_back({name, object.denoised.select(2, k).contiguous(), cards});
    if (object.std.defined()) planes.push_back({name + "_STD", object.std.select(2, k).contiguous(), cards});
  }
  io::write_fits(path, planes);
}

}  // namespace

Json denoise(DenoiseOptions const& o) {
  OutputFolder out(o.out);
  Network network(o.weights.empty() ? std::vector{find_weights("", "denoise.safetensors")} : o.weights, o.device);
  Json problems = Json::Object();
  int64_t written = 0;
  process(o, {&network, nullptr}, [&](Object& object) {
    if (!object.denoised.defined()) {
      problems[object.id] = object.frame.note;
      say(object.id + ": left out: " + object.frame.note);
      return;
    }
    if (object.frame.picture)
      out.write(object.id + ".png",
                [&](std::string const& path) { io::write_png(path, picture_of(object.frame, object.denoised)); });
    else out.write(object.id + ".fits", [&](std::string const& path) { write_fits_bands(path, object, network); });
    ++written;
  });
  out.commit();
  say(d16::text(o.out, ": ", written, " denoised images of ", network.size(), "x", network.size(), " pixels"));
  return Json::object(
      {{"out", o.out}, {"written", written}, {"left_out", problems}, {"weights", Json(network.paths())}});
}

}  // namespace tool
