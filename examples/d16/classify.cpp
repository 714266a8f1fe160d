// d16 classify: the probability of a disk for each image as it is, into a catalogue.
#include "pipeline.hpp"

namespace tool {

Json classify(ClassifyOptions const& o) {
  if (o.system == "highz") {
    d16::require<d16::ValueError>(o.bands.empty() && o.zoom == 1, "--bands and --zoom are for --system disk");
    return classify_highz({o, o.input, o.out, o.weights, o.highz});
  }
  d16::require<d16::ValueError>(o.highz == HighzChoices(),
                                "--cutouts, --trees, --prior, --threshold, --unit, --aperture, --pixel-unit and "
                                "--pixel-scale are for --system highz");
  bool known = ends_with(lower(o.out), ".csv") || ends_with(lower(o.out), ".fits");
  d16::require<d16::FileError>(known, o.out, ": a catalogue ends in .csv or .fits; give such a name");
  d16::require<d16::FileError>(!is_folder(o.out), o.out, ": is a folder; give the name of a file");
  Network classifier(Task::disk, find_weights(o.weights, "disk.safetensors"), o.device);
  classifier.prepare_for(Shown::noisy);
  Networks networks{nullptr, &classifier};
  std::vector<Row> rows;
  int64_t bad = 0;
  process(o, networks, [&](Object& object) {
    rows.push_back(row_of(object, true, classifier));
    bad += !object.readable();
  });
  write_catalog(o.out, catalog(rows, networks, true), networks);
  d16::io::Json p = Json::Object();
  for (Row const& row : rows) p[row.id] = std::isnan(row.p_disk) ? Json() : Json(row.p_disk);
  if (rows.size() <= 20)
    for (Row const& row : rows)
      say(row.id + ": p_disk " + decimals(row.p_disk, 3) + (row.note.empty() ? "" : "  " + row.note));
  say(d16::text(o.out, ": ", rows.size(), " objects, ", bad, " of them flagged as unreadable"));
  return Json::object({{"catalog", o.out},
                       {"objects", rows.size()},
                       {"unreadable", bad},
                       {"p_disk", p},
                       {"weights", classifier.path()}});
}

}  // namespace tool
