# What d16's own programs share and its users never see: warnings, and a stamp of what a program was built from.
add_library(d16_warnings INTERFACE)
# "#pragma unroll" of the CUDA kernels means nothing to a host compiler.
# GCC 12 sees overlaps and overflows inside its own std::string that are not there.
target_compile_options(d16_warnings INTERFACE -Wall -Wextra -Wpedantic -Wno-unknown-pragmas $<$<BOOL:${D16_WERROR}>:-Werror>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-stringop-overflow -Wno-array-bounds>)

# The stamp is rewritten before each build, but only where the commit has changed.
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
set(stamp_source ${PROJECT_BINARY_DIR}/stamp.cpp)
add_custom_target(d16_commit BYPRODUCTS ${stamp_source} COMMENT ""
  COMMAND ${CMAKE_COMMAND} -D SOURCE_DIR=${PROJECT_SOURCE_DIR} -D OUTPUT=${stamp_source} -D VERSION=${PROJECT_VERSION}
          -D "COMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
          -D "FLAGS=${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}"
          -P ${PROJECT_SOURCE_DIR}/cmake/write_stamp.cmake)
add_library(d16_stamp STATIC EXCLUDE_FROM_ALL ${stamp_source})
target_include_directories(d16_stamp PUBLIC ${PROJECT_SOURCE_DIR}/cmake)
target_compile_features(d16_stamp PUBLIC cxx_std_20)
add_dependencies(d16_stamp d16_commit)

# d16_program(name SOURCES file... [NEEDS component...] [LIBRARIES library...]): a program of this project, in build/bin.
# Where a library is missing the program is left out, with a line that says which package brings it.
function(d16_program name)
  cmake_parse_arguments(program "" "" "SOURCES;NEEDS;LIBRARIES" ${ARGN})
  set(package_of_fits libcfitsio-dev)
  set(package_of_png libpng-dev)
  set(package_of_jpeg libjpeg-dev)
  set(package_of_sep libsep-dev)
  set(package_of_hdf5 libhdf5-dev)
  foreach(component IN LISTS program_NEEDS)
    if(NOT TARGET d16::${component})
      message(NOTICE "${name} is left out: it needs ${package_of_${component}}")
      return()
    endif()
    list(APPEND program_LIBRARIES d16::${component})
  endforeach()
  add_executable(${name} ${program_SOURCES})
  target_link_libraries(${name} PRIVATE d16::d16 d16_warnings d16_stamp ${program_LIBRARIES} d16::compiled)
  list(LENGTH program_SOURCES files)
  if(files GREATER 4)  # the headers are read once for all files, and their kernels come from d16::compiled
    target_compile_options(${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
    # Groups are for sources that name one; memory for time: less of GCC's collecting.
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
    target_compile_options(${name} PRIVATE
      $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-expand=1000 --param=ggc-min-heapsize=4000000>)
    target_precompile_headers(${name} PRIVATE <d16/compiled.hpp>)
  else()
    target_compile_options(${name} PRIVATE "SHELL:-include d16/compiled.hpp")
  endif()
endfunction()
