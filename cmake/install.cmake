# cmake --install: headers (with kernels/ as real files below d16/), the C library, the tool, weights, and d16Config.cmake.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/d16)
set(D16_WEIGHTS_DIR ${CMAKE_INSTALL_DATADIR}/d16/weights)

install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} REGEX "/d16/kernels$" EXCLUDE)
install(DIRECTORY kernels DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/d16)
install(DIRECTORY weights/ DESTINATION ${D16_WEIGHTS_DIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/d16)
install(TARGETS d16_headers d16_c d16_compiled d16_cuda_emulated EXPORT d16)
if(TARGET d16_cuda)
  install(TARGETS d16_cuda EXPORT d16)
endif()
if(TARGET d16)
  install(TARGETS d16)
endif()

install(EXPORT d16 NAMESPACE d16:: FILE d16Targets.cmake DESTINATION ${package_dir})
configure_package_config_file(cmake/d16Config.cmake.in d16Config.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS D16_WEIGHTS_DIR)
write_basic_package_version_file(d16ConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/d16Optional.cmake ${PROJECT_BINARY_DIR}/d16Config.cmake ${PROJECT_BINARY_DIR}/d16ConfigVersion.cmake
  DESTINATION ${package_dir})
