# Puts the statement catalogue, src/sql/**/*.sql, into the library as text.
include_guard()

set(PGQRS_EMBED_SQL_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/EmbedSqlScript.cmake")

# pgqrs_embed_sql(OUTPUT <file.cc> ROOT <folder>)
#
# Makes a rule for OUTPUT, which defines pgqrs::sql::EmbeddedFiles() of sql/embedded.h with each .sql
# file under ROOT. The rule runs again when a file changes, comes or goes.
function(pgqrs_embed_sql)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUTPUT;ROOT" "")
  file(GLOB_RECURSE sql_files CONFIGURE_DEPENDS RELATIVE "${arg_ROOT}" "${arg_ROOT}/*.sql")
  list(SORT sql_files)

  # The list goes through a file: a build rule whose command line names the files would run into
  # the system's limit on it, and a file that is removed has to trigger the rule too.
  set(manifest "${arg_OUTPUT}.manifest")
  list(JOIN sql_files "\n" manifest_text)
  file(CONFIGURE OUTPUT "${manifest}" CONTENT "@manifest_text@\n" @ONLY)

  list(TRANSFORM sql_files PREPEND "${arg_ROOT}/" OUTPUT_VARIABLE dependencies)
  add_custom_command(
    OUTPUT "${arg_OUTPUT}"
    COMMAND "${CMAKE_COMMAND}" -D "OUTPUT=${arg_OUTPUT}" -D "ROOT=${arg_ROOT}" -D
            "MANIFEST=${manifest}" -P "${PGQRS_EMBED_SQL_SCRIPT}"
    DEPENDS ${dependencies} "${manifest}" "${PGQRS_EMBED_SQL_SCRIPT}"
    COMMENT "Embedding the SQL statements"
    VERBATIM)
endfunction()
