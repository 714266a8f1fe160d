// Files appear whole or not at all, whatever happens in between.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/wait.h>

#include <d16/io/atomic_file.hpp>
#include <d16/io/read_file.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using d16::io::AtomicFile;
using d16::io::read_file;
using d16::io::write_file;

TEST_CASE("atomic file: is there after commit, with all bytes, and nothing else") {
  for (bool unnamed : {true, false}) {
    TemporaryFolder folder;
    std::string path = folder.file("weights", "old"), bytes(3'000'017, 'x');
    {
      AtomicFile file(path, unnamed);
      file.write(bytes);
      CHECK(read_file(path) == "old");
      file.commit();
    }
    CHECK(read_file(path) == bytes);
    CHECK(folder.count() == 1);
  }
}

TEST_CASE("atomic file: without commit the older file stays") {
  for (bool unnamed : {true, false}) {
    TemporaryFolder folder;
    std::string path = folder.file("weights", "old");
    try {
      AtomicFile file(path, unnamed);
      file.write("half of the new o");
      throw d16::ValueError("training went wrong");
    } catch (d16::ValueError const&) {}
    CHECK(read_file(path) == "old");
    CHECK(folder.count() == 1);
  }
}

TEST_CASE("atomic file: kill -9 in the middle leaves nothing") {
  TemporaryFolder folder;
  int probe = open(folder.path().c_str(), O_TMPFILE | O_WRONLY, 0600);
  if (probe < 0) {
    MESSAGE("skipped: the temporary folder's file system has no unnamed files");
    return;
  }
  close(probe);
  pid_t child = fork();
  if (child == 0) {
    AtomicFile file(folder / "weights");
    file.write("half");
    raise(SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK(folder.count() == 0);
}

TEST_CASE("atomic file: what a killed run with the same process number left does not stand in the way") {
  for (bool unnamed : {true, false}) {
    TemporaryFolder folder;
    std::string next = std::string(".weights.") + std::to_string(getpid()) + "-";
    int number = 0;
    {
      AtomicFile file(folder / "weights", false);
      std::string const now = std::filesystem::directory_iterator(folder.path())->path().filename().string();
      number = std::stoi(now.substr(next.size()));
    }
    for (int i = 1; i <= 3; ++i) folder.file(next + std::to_string(number + i) + ".tmp", "left");
    AtomicFile file(folder / "weights", unnamed);
    file.write("new");
    file.commit();
    CHECK(read_file(folder / "weights") == "new");
    CHECK(folder.count() == 4);
  }
}

TEST_CASE("atomic file: every refusal names the file and what to do") {
  CHECK(writer_fault([](std::string const& path) { write_file(path, "some bytes"); }, "out.txt") == "");
  auto named = [](std::string const& path) {
    AtomicFile file(path, false);
    file.write("some bytes");
    file.commit();
  };
  CHECK(writer_fault(named, "out.txt") == "");
  CHECK(contains(error_of([] { write_file("", "x"); }), "the name of a file"));
  CHECK(contains(error_of([] { write_file("/tmp/", "x"); }), "the name of a file"));
  TemporaryFolder folder;
  CHECK(contains(error_of([&] { write_file(folder / std::string(300, 'n'), "x"); }), "shorter name"));
  CHECK_NOTHROW(write_file(folder / std::string(255, 'n'), "x"));
}

TEST_CASE("atomic file: folders and files without the right to write are refused") {
  if (geteuid() == 0) {
    MESSAGE("skipped: root may write everywhere");
    return;
  }
  TemporaryFolder folder;
  std::string closed = folder / "closed";
  std::filesystem::create_directory(closed);
  std::filesystem::permissions(closed, std::filesystem::perms(0555));
  CHECK(contains(error_of([&] { write_file(closed + "/x", "x"); }),
                 "choose a folder that you may write to, not " + closed));
  std::string precious = folder.file("precious", "old");
  std::filesystem::permissions(precious, std::filesystem::perms(0444));
  CHECK(contains(error_of([&] { write_file(precious, "x"); }), "protected"));
  CHECK(read_file(precious) == "old");
}

TEST_CASE("atomic file: a link stays a link, and names are literal") {
  TemporaryFolder folder;
  std::string target = folder.file("target", "old"), link = folder / "link";
  std::filesystem::create_symlink(target, link);
  write_file(link, "new");
  CHECK(std::filesystem::is_symlink(link));
  CHECK(read_file(target) == "new");
  for (char const* name : {"a b", "!x", "x[1]", "*?", "-", "~", "caf\xC3\xA9", "\xFF"}) {
    write_file(folder / name, name);
    CHECK(read_file(folder / name) == name);
  }
  CHECK(folder.count() == 10);
}

TEST_CASE("read file: says what is wrong") {
  TemporaryFolder folder;
  CHECK(contains(error_of([&] { read_file(folder / "absent"); }), folder / "absent: cannot open: No such file"));
  CHECK(contains(error_of([&] { read_file(folder.path()); }), "is a folder"));
  CHECK(contains(error_of([] { read_file("/dev/zero"); }), "is a device"));
  CHECK(contains(error_of([&] { read_file(folder.file("big", "12345"), 4); }), "5 bytes; at most 4"));
  CHECK(read_file(folder.file("empty", "")) == "");
  d16::io::InputFile file(folder.file("short", "123"));
  char buffer[8];
  CHECK(contains(error_of([&] { file.read(buffer, 8); }), "ends early: 3 of 8 bytes"));
}
