// d16 measure: a catalogue of shapes of the objects in cutouts.
#include "commands.hpp"
#include "shape.hpp"

namespace tool {

using d16::require;
using d16::text;

Json measure(MeasureOptions const& o) {
  bool known = ends_with(lower(o.out), ".csv") || ends_with(lower(o.out), ".fits");
  require<d16::FileError>(known, o.out, ": a catalogue ends in .csv or .fits; give such a name");
  require<d16::FileError>(!is_folder(o.out), o.out, ": is a folder; give the name of a file");
  std::optional<CasForest> forest = find_forest(o.forest);
  std::vector<Source> sources = find_sources(o.input);
  std::vector<Shape> shapes;
  std::vector<std::string> ids, notes;
  std::vector<double> ra, dec;
  Progress progress("objects", int64_t(sources.size()));
  int64_t unreadable = 0, lost = 0;
  std::string problem;
  for (Source const& source : sources) {
    Shape shape;
    Place place;
    try {
      Cutout cutout = read_cutout(source);
      set_scales(cutout, o.pixscale);
      shape = measure_shape(cutout, {.band = o.bands.empty() ? "" : o.bands[0], .psf = o.psf, .fit = !o.no_fit});
      if (!(shape.flags & (shape_not_found | shape_picture)))
        place = place_of(cutout.bands[shape_band(cutout, {.band = shape.band})].wcs, shape.light.x, shape.light.y);
    } catch (d16::Error const& error) {
      shape.flags = shape_not_found, shape.note = error.what(), ++unreadable;
      if (problem.empty()) problem = shape.note;
    }
    shape.own = shape.neighbours = {}, shape.fit.model = {};
    lost += (shape.flags & (shape_not_found | shape_picture)) != 0;
    ids.push_back(source.id), notes.push_back(shape.note), ra.push_back(place.ra), dec.push_back(place.dec);
    shapes.push_back(std::move(shape));
    progress.step();
  }
  require<d16::FileError>(unreadable < int64_t(sources.size()), o.input, ": none of its ", sources.size(),
                          " objects could be read; the first: ", problem);
  if (forest) add_cas(*forest, shapes);
  Described out;
  out.add("id", ids, "", "object: name of its file or folder", "meta.id;meta.main");
  out.add("ra", ra, "deg", "right ascension of its centre, ICRS; NaN: unknown", "pos.eq.ra;meta.main");
  out.add("dec", dec, "deg", "declination of its centre, ICRS; NaN: unknown", "pos.eq.dec;meta.main");
  add_shape_columns(out, shapes);
  out.add("note", notes, "", "what went wrong or was left out", "meta.note");
  std::vector<std::string> used;
  if (forest) used.push_back(forest->path());
  write_described(o.out, out, provenance(used, o.seed));
  say(text(o.out, ": ", sources.size(), " objects, ", lost, " not measured"));
  return Json::object({{"catalog", o.out},
                       {"objects", sources.size()},
                       {"not_measured", lost},
                       {"forest", forest ? Json(forest->path()) : Json()}});
}

}  // namespace tool
