# Writes the source behind stamp.hpp: version, commit and compiler. Leaves the file alone where nothing has changed.
execute_process(COMMAND git describe --always --dirty --abbrev=12 WORKING_DIRECTORY ${SOURCE_DIR}
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit "unknown")
endif()
string(STRIP "${FLAGS}" FLAGS)
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
// Generated before each build by cmake/write_stamp.cmake.
#include <stamp.hpp>
namespace d16::stamp {
char const* const version = "@VERSION@";
char const* const commit = "@commit@";
char const* const compiler = "@COMPILER@";
char const* const flags = "@FLAGS@";
char const* const source_dir = "@SOURCE_DIR@";
}  // namespace d16::stamp
]])
