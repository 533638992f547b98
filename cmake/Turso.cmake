# Turso's C interface, as the target pgqrs_turso. scripts/turso-library builds it, once for all clones
# and presets, and prints where it is.
include_guard()

set(PGQRS_TURSO_FOLDER
    ""
    CACHE PATH "Where libpgqrs_turso.a and turso.h are; empty: built by scripts/turso-library")

set(turso_folder "${PGQRS_TURSO_FOLDER}")
if(NOT turso_folder)
  execute_process(
    COMMAND "${PROJECT_SOURCE_DIR}/scripts/turso-library"
    OUTPUT_VARIABLE turso_folder
    OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE turso_result)
  if(NOT turso_result EQUAL 0)
    message(FATAL_ERROR "Turso could not be built. Without it: -D PGQRS_WITH_TURSO=OFF")
  endif()
  # What it is made from; a change configures again.
  set_property(
    DIRECTORY
    APPEND
    PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bindings/turso/Cargo.lock"
             "${PROJECT_SOURCE_DIR}/bindings/turso/Cargo.toml"
             "${PROJECT_SOURCE_DIR}/bindings/turso/lib.rs")
endif()

add_library(pgqrs_turso STATIC IMPORTED)
set_target_properties(
  pgqrs_turso
  PROPERTIES IMPORTED_LOCATION "${turso_folder}/libpgqrs_turso.a"
             INTERFACE_INCLUDE_DIRECTORIES "${turso_folder}")
target_link_libraries(pgqrs_turso INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)
