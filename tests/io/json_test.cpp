// JSON: what RFC 8259 allows comes through exactly, everything else is refused with its place.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include <d16/io/json.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using d16::io::Json;
using d16::io::parse_json;

static Json parsed(std::string_view text) { return parse_json(text, "a.json"); }

TEST_CASE("json: every kind of value is read") {
  Json j =
      parsed(R"( {"null":null,"yes":true,"no":false,"id":587722952767439450,"x":-1.25e-3,"s":"a\n\u00e9\ud83d\ude00\/",
                       "list":[1,[],{}],"":0} )");
  CHECK(j.at("null").is_null());
  CHECK(j.boolean("yes"));
  CHECK(!j.boolean("no"));
  CHECK(j.integer("id") == 587722952767439450);
  CHECK(j.number("x") == -1.25e-3);
  CHECK(j.string("s") == "a\n\xC3\xA9\xF0\x9F\x98\x80/");
  CHECK(j.at("list").array().size() == 3);
  CHECK(j.integer("") == 0);
  CHECK(j.object().size() == 8);
  CHECK(j.object()[3].first == "id");  // in the order of the text
}

TEST_CASE("json: doubles and integers come back bit by bit") {
  d16::Random random(1);
  for (int i = 0; i < 2000; ++i) {
    uint64_t bits = uint64_t(random.next()) << 32 | random.next();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    Json back = parsed(Json(value).dump());
    CHECK(back.is_number());
    CHECK(!back.is_integer());
    double again = back.number();
    CHECK(std::memcmp(&again, &value, sizeof value) == 0);
    CHECK(parsed(Json(int64_t(bits)).dump()).integer() == int64_t(bits));
  }
  CHECK(Json(2.0).dump() == "2.0");
  CHECK(Json(-0.0).dump() == "-0.0");
  CHECK(std::signbit(parsed("-0").number()));
  CHECK(Json(std::numeric_limits<int64_t>::min()).dump() == "-9223372036854775808");
}

TEST_CASE("json: what is built is written as built") {
  Json j = Json::object({{"group", "D8"}, {"widths", Json::array({12, 24})}, {"none", nullptr}});
  j["lr"] = 1e-3;
  j["group"] = "C8";
  j["log"].push_back(true);
  CHECK(j.dump() == R"({"group":"C8","widths":[12,24],"none":null,"lr":0.001,"log":[true]})");
  CHECK(parsed(j.dump(2)) == j);
  CHECK(Json::object({{"a", Json::array({1})}}).dump(2) == "{\n  \"a\": [\n    1\n  ]\n}");
  CHECK(Json(Json::Array()).dump(2) == "[]");
  CHECK(Json(std::vector<int>{1, 2}).dump() == "[1,2]");
  CHECK(Json(std::string("q\"\\\n\t\x01\x7F\xC3\xA9\xFF", 10)).dump() ==
        "\"q\\\"\\\\\\n\\t\\u0001\x7F\xC3\xA9\xEF\xBF\xBD\"");
}

TEST_CASE("json: numbers that JSON does not have are not written") {
  double const inf = std::numeric_limits<double>::infinity();
  CHECK(contains(error_of<d16::ValueError>([&] { Json(inf).dump(); }), "finite"));
  CHECK(contains(error_of<d16::ValueError>([&] { Json::array({1, std::nan("")}).dump(); }), "finite"));
  CHECK(contains(error_of<d16::ValueError>([&] { Json(~uint64_t(0)); }), "64 bits"));
}

TEST_CASE("json: a wrong kind or key is named") {
  Json j = parsed(R"({"lr":"fast","n":1.5,"epochs":3e0})");
  CHECK(error_of<d16::ValueError>([&] { j.number("lr"); }) ==
        "json: \"lr\" is the string \"fast\"; a number is needed");
  CHECK(error_of<d16::ValueError>([&] { j.integer("n"); }) == "json: \"n\" is 1.5; an integer is needed");
  CHECK(error_of<d16::ValueError>([&] { j.at("beta"); }) == "json: no key \"beta\"; it has lr, n, epochs");
  CHECK(error_of<d16::ValueError>([&] { j.array(); }) == "json is an object; an array is needed");
  CHECK(error_of<d16::ValueError>([&] { Json(3)["x"]; }) == "json: a number has no members; only an object has");
  CHECK(j.integer("epochs") == 3);
  CHECK(j.find("beta") == nullptr);
}

TEST_CASE("json: everything else is refused with its place") {
  for (char const* text : {"",
                           " ",
                           "{",
                           "[",
                           "[1",
                           "[1,",
                           "[1,]",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":1",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{'a':1}",
                           "{\"a\" 1}",
                           "01",
                           "-",
                           "+1",
                           ".5",
                           "1.",
                           "1e",
                           "1e+",
                           "0x10",
                           "NaN",
                           "nan",
                           "Infinity",
                           "-Infinity",
                           "1e999",
                           "1e-999",
                           "tru",
                           "TRUE",
                           "nul",
                           "\"",
                           "\"a",
                           "\"\\",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\udc00\"",
                           "\"\t\"",
                           "\"\xFF\"",
                           "\"\xC0\x80\"",
                           "\"\xED\xA0\x80\"",
                           "\"\xF5\x80\x80\x80\"",
                           "\"\xE2\x82\"",
                           "1 2",
                           "[] x",
                           "//",
                           "[1 2]",
                           "{\"a\":1,\"a\":2}",
                           "\xEF\xBB\xBF{}"}) {
    CAPTURE(text);
    CHECK(contains(error_of([&] { parsed(text); }), "a.json line 1 column "));
  }
  CHECK(error_of([] { parsed("{\n  \"a\": 1,\n  \"b\": x\n}"); }) == "a.json line 3 column 8: not a JSON value");
  CHECK(contains(error_of([] { parsed(std::string_view("[1]\0", 4)); }), "nothing may follow"));
}

TEST_CASE("json: depth and number of values are bounded") {
  std::string deep(100'000, '[');
  CHECK(contains(error_of([&] { parsed(deep); }), "nested too deeply"));
  CHECK_NOTHROW(parsed(std::string(100, '[') + std::string(100, ']')));
  CHECK(contains(error_of([] { parsed(std::string(101, '[') + std::string(101, ']')); }), "nested too deeply"));
  CHECK(contains(error_of([] { parse_json("[1,2,3]", "a.json", {.depth = 9, .values = 3}); }), "more values"));
}

TEST_CASE("json: mutations and noise throw FileError or parse, and what parses writes") {
  std::string const valid =
      R"({"op":"conv2d","attrs":{"stride":[1,2],"eps":1e-5,"bias":true},"s":"\u00e9\n","n":null})";
  d16::Random random(2);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string text = i % 10 ? mutated(valid, random) : noise(50, random);
    try {
      Json j = parsed(text);
      CHECK(parsed(j.dump()) == j);
    } catch (d16::FileError const&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);
}
