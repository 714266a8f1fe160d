// What a program of this project was built from; the values are in a source that the build generates.
#pragma once

namespace d16::stamp {

extern char const* const version;     ///< "0.1.0"
extern char const* const commit;      ///< twelve digits, "-dirty" where files had changed; "unknown" without git
extern char const* const compiler;    ///< "GNU 12.2.0"
extern char const* const flags;       ///< "-O3 -DNDEBUG"
extern char const* const source_dir;  ///< the tree it was built from: where tests find their fixtures

}  // namespace d16::stamp
