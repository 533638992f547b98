# What `cmake --install` lays down: the library, the public headers, the package files for
# find_package(pgqrs) and for pkg-config.
include_guard()
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/pgqrs")

install(
  TARGETS pgqrs
  EXPORT pgqrsTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(
  DIRECTORY "${PROJECT_SOURCE_DIR}/include/pgqrs"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING
  PATTERN "*.h")
install(FILES "${PROJECT_SOURCE_DIR}/scripts/postgres_roles.sql"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/pgqrs")
install(
  EXPORT pgqrsTargets
  NAMESPACE pgqrs::
  DESTINATION "${package_dir}")

# A static library hands its own needs on to whoever links it, Turso among them, which has no package
# of its own; a shared one has them inside.
set(pgqrs_installs_turso OFF)
set(pgqrs_with_turso OFF)
if(PGQRS_WITH_TURSO)
  set(pgqrs_with_turso ON)
endif()
set(pgqrs_pc_requires "Requires.private: sqlite3 >= 3.40 libpq >= 15")
set(pgqrs_pc_libs "-L\${libdir} -lpgqrs")
set(pgqrs_pc_libs_private "Libs.private: -pthread")
get_target_property(pgqrs_type pgqrs TYPE)
if(pgqrs_type STREQUAL "STATIC_LIBRARY")
  set(pgqrs_pc_requires "Requires: sqlite3 >= 3.40 libpq >= 15")
  if(PGQRS_WITH_TURSO)
    set(pgqrs_installs_turso ON)
    install(FILES "$<TARGET_FILE:pgqrs_turso>" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    string(APPEND pgqrs_pc_libs " -lpgqrs_turso -ldl -lm")
  endif()
  string(APPEND pgqrs_pc_libs " -pthread")
  set(pgqrs_pc_libs_private "")
endif()

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/pgqrsConfig.cmake.in" "${PROJECT_BINARY_DIR}/pgqrsConfig.cmake"
  INSTALL_DESTINATION "${package_dir}"
  PATH_VARS CMAKE_INSTALL_LIBDIR
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/pgqrsConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/pgqrsConfig.cmake"
              "${PROJECT_BINARY_DIR}/pgqrsConfigVersion.cmake" DESTINATION "${package_dir}")

# The prefix is told relative to the file itself, so that an installed tree can be moved.
file(RELATIVE_PATH pgqrs_pc_to_prefix "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig"
     "${CMAKE_INSTALL_PREFIX}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/pgqrs.pc.in" "${PROJECT_BINARY_DIR}/pgqrs.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/pgqrs.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
