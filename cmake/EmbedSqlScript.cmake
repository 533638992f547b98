# Writes the C++ file of pgqrs_embed_sql. Arguments: OUTPUT, ROOT and MANIFEST, a text file with one
# path (relative to ROOT) a line, sorted.
cmake_minimum_required(VERSION 3.25)

# A raw string literal holds any text but its own closing mark, so quotes, brackets, semicolons and
# backslashes need no care, as long as the text never goes through a CMake list.
set(delimiter "pgqrs_sql")

# Compilers promise string literals of 65,536 characters; one beyond that fails early and clearly.
set(max_length 65536)

file(STRINGS "${MANIFEST}" paths)
set(entries "")
foreach(path IN LISTS paths)
  file(READ "${ROOT}/${path}" text)
  string(FIND "${text}" ")${delimiter}\"" closing_mark)
  if(NOT closing_mark EQUAL -1)
    message(FATAL_ERROR "${path} has the text )${delimiter}\", which ends a raw string literal")
  endif()
  string(LENGTH "${text}" length)
  if(length GREATER_EQUAL max_length)
    message(FATAL_ERROR "${path} is ${length} bytes long; the limit is ${max_length}")
  endif()
  string(APPEND entries "    {\"${path}\", R\"${delimiter}(${text})${delimiter}\"},\n")
endforeach()

set(source "// Made by cmake/EmbedSqlScript.cmake from src/sql/**/*.sql. Do not edit.
#include \"sql/embedded.h\"

namespace pgqrs::sql {

std::span<const EmbeddedFile> EmbeddedFiles() {
")
if(entries STREQUAL "")
  string(APPEND source "  return {};\n")
else()
  string(APPEND source "  static constexpr EmbeddedFile kFiles[] = {\n" "${entries}"
         "  };\n  return kFiles;\n")
endif()
string(APPEND source "}\n\n}  // namespace pgqrs::sql\n")
file(WRITE "${OUTPUT}" "${source}")
