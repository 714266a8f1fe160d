// d16 run: the whole job. Cutouts in; catalog.csv, catalog.fits and report.html out, all or none of them.
#include <d16/io/atomic_file.hpp>

#include "report.hpp"

namespace tool {

Json run(RunOptions const& o) {
  OutputFolder out(o.out);
  Network denoiser(Task::denoise, find_weights(o.denoiser, "denoise.safetensors"), o.device);
  Network classifier(Task::disk, find_weights(o.classifier, "disk.safetensors"), o.device);
  Networks networks{&denoiser, &classifier};
  Report report{.input = o.input, .rows = {}, .exhibits = {}, .raw = o.raw, .zoom = o.zoom};
  Stopwatch watch;
  process(o, networks, [&](Object& object) {
    report.rows.push_back(row_of(object, o.raw));
    if (!object.readable()) say(object.id + ": flagged: " + object.frame.note);
    else if (report.exhibits.size() < most_exhibits)
      report.exhibits.push_back(exhibit_of(object, report.rows.size() - 1));
  });
  report.seconds = watch.seconds();
  d16::io::Table table = catalog(report.rows, networks, o.raw);
  for (char const* name : {"catalog.csv", "catalog.fits"})
    out.write(name, [&](std::string const& path) { write_catalog(path, table, networks); });
  out.write("report.html", [&](std::string const& path) { d16::io::write_file(path, report_html(report, networks)); });
  check_interrupted();
  out.commit();

  int64_t bad = 0, disks = 0;
  for (Row const& row : report.rows)
    bad += (row.flags & flag_unreadable) != 0, disks += row.p_disk >= classifier.threshold();
  int64_t count = int64_t(report.rows.size());
  say(d16::text(o.out, "/catalog.csv, catalog.fits, report.html: ", count, " objects, ", disks, " disk-like, ",
                count - bad - disks, " not, ", bad, " unreadable"));
  return Json::object({{"out", o.out},
                       {"objects", count},
                       {"disk_like", disks},
                       {"unreadable", bad},
                       {"seconds", watch.seconds()},
                       {"catalog", join(o.out, "catalog.fits")},
                       {"report", join(o.out, "report.html")},
                       {"denoiser", denoiser.path()},
                       {"classifier", classifier.path()}});
}

}  // namespace tool
