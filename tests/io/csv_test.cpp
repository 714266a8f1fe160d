// CSV and the table behind it: RFC 4180 in and out, and errors that name the line.
#include <doctest/doctest.h>

#include <cmath>

#include <d16/io/csv.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using namespace d16::io;

static Table parsed(std::string_view text) { return parse_csv(text, "labels.csv"); }

TEST_CASE("csv: quotes, line ends, mark, empty lines") {
  for (char const* text : {"id,class\n1,\"a,\"\"b\"\"\n\"\n2,\n", "id,class\r\n1,\"a,\"\"b\"\"\n\"\r\n\r\n2,",
                           "\xEF\xBB\xBF\"id\",class\n1,\"a,\"\"b\"\"\n\"\n\n\n2,\n\n"}) {
    Table t = parsed(text);
    CHECK(t.names() == "id, class");
    CHECK(t.strings("class") == std::vector<std::string>{"a,\"b\"\n", ""});
    CHECK(t.integers("id") == std::vector<int64_t>{1, 2});
  }
  CHECK(parsed("a\n").rows() == 0);
  CHECK(parsed("a,\n1,2\n").strings("") == std::vector<std::string>{"2"});
}

TEST_CASE("csv: numbers are converted exactly, and by request only") {
  Table t = parsed("id,x\n587722952767439450, 1.5\n-1,+2e-3\n0,\n0,nan\n0,-inf\n");
  CHECK(t.integers("id")[0] == 587722952767439450);
  std::vector<double> x = t.numbers("x");
  CHECK(x[0] == 1.5);
  CHECK(x[1] == 2e-3);
  CHECK(std::isnan(x[2]));
  CHECK(std::isnan(x[3]));
  CHECK(x[4] == -INFINITY);
}

TEST_CASE("csv: errors name the file, the line and what is there") {
  auto error = [](std::string_view text) { return error_of([&] { parsed(text); }); };
  CHECK(error_of([] { parsed("objid,type\n1,2\n").at("class"); }) ==
        "labels.csv: no column \"class\"; it has objid, type");
  CHECK(error_of([] { parsed("a,ra\n1,2\n\"x\ny\",3\n2,12h\n").numbers("ra"); }) ==
        "labels.csv line 5: column \"ra\" has \"12h\"; a number is needed");
  CHECK(error_of([] { parsed("a\n1.5\n").integers("a"); }) ==
        "labels.csv line 2: column \"a\" has \"1.5\"; an integer is needed");
  CHECK(error_of([] { parsed("a,b\n,1\n").integers("a"); }) ==
        "labels.csv line 2: column \"a\" has \"\"; an integer is needed");
  CHECK(error("a,b\n1,2\n1,2,3\n") == "labels.csv line 3: 3 fields; the header has 2");
  CHECK(error("a,b\n1\n") == "labels.csv line 2: 1 fields; the header has 2");
  CHECK(error("") == "labels.csv: is empty; a header line with the names of the columns is needed");
  CHECK(error("\r\n\n") == error(""));
  CHECK(error("a,a\n") == "labels.csv: two columns are named \"a\"; rename one");
  CHECK(contains(error("a\n\"x\n\n"), "line 2: the quote that opens a field here is never closed"));
  CHECK(contains(error("a\n\"x\"y\n"), "line 2: text after a closing quote"));
  CHECK(contains(error("a\nx\"y\"\n"), "line 2: a quote inside a plain field"));
  CHECK(contains(error(std::string_view("a\n\0\n", 4)), "not a text file"));
}

TEST_CASE("table: columns of one length, one name each") {
  Table t;
  t.column("id", std::vector<int64_t>{1, 2})
      .column("ok", std::vector<bool>{true, false}, {.unit = "", .comment = "fine"});
  CHECK(error_of<d16::ValueError>([&] {
          t.column("id", std::vector<int64_t>{1, 2});
        }) == "table: column \"id\" is there already; give another name");
  CHECK(error_of<d16::ValueError>([&] { t.column("x", std::vector<float>{1}); }) ==
        "table: column \"x\" has 1 rows; the table has 2");
  CHECK(t.columns().size() == 2);
  CHECK(t.numbers("ok") == std::vector<double>{1, 0});
  CHECK(t.columns()[1].info.comment == "fine");
}

TEST_CASE("csv: what is written reads back exactly") {
  TemporaryFolder folder;
  std::vector<float> f{0.1f, NAN, 3e38f};
  std::vector<double> d{0.1, -1e-300, INFINITY};
  std::vector<std::string> s{"plain", "a,\"b\"\r\nc", ""};
  Table t;
  t.column("f", f)
      .column("d,1", d)
      .column("i", std::vector<int32_t>{-1, 0, 7})
      .column("b", std::vector<bool>{true, false, true})
      .column("s", s);
  write_csv(folder / "t.csv", t);
  CHECK(read_file(folder / "t.csv") ==
        "f,\"d,1\",i,b,s\n0.1,0.1,-1,true,plain\n,-1e-300,0,false,\"a,\"\"b\"\"\r\nc\"\n3e+38,inf,7,true,\n");
  Table back = read_csv(folder / "t.csv");
  CHECK(back.strings("s") == s);
  CHECK(back.numbers("d,1") == d);
  CHECK(float(back.numbers("f")[0]) == f[0]);
  CHECK(std::isnan(back.numbers("f")[1]));
  CHECK(folder.count() == 1);
}

TEST_CASE("csv: a lone empty value is no empty line") {
  Table t;
  t.column("x", std::vector<double>{1, NAN, 2});
  CHECK(parsed(csv_text(t)).rows() == 3);
  CHECK(csv_text(Table()) == "");
}

TEST_CASE("csv: every refusal names the file and what to do") {
  Table t;
  t.column("x", std::vector<double>(1000, 1.25));
  CHECK(writer_fault([&](std::string const& path) { write_csv(path, t); }, "catalog.csv") == "");
}

TEST_CASE("csv: mutations and noise throw FileError or parse, and what parses writes") {
  std::string const valid = "objid,class,ra\r\n1,\"spiral, open\",1.5\n2,\"say \"\"x\"\"\",\n3,elliptical,-7\n";
  d16::Random random(3);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string text = i % 10 ? mutated(valid, random) : noise(60, random);
    try {
      Table t = parsed(text), back = parsed(csv_text(t));
      CHECK(back.rows() == t.rows());
      CHECK(back.names() == t.names());
      for (Column const& column : t.columns()) CHECK(back.strings(column.name) == t.strings(column.name));
    } catch (d16::FileError const&) {
      ++refused;
    }
  }
  CHECK(refused > 500);
}
