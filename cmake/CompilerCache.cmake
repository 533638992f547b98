# Compiles through ccache where it is installed and nobody chose a launcher.
include_guard()

find_program(PGQRS_CCACHE ccache)
mark_as_advanced(PGQRS_CCACHE)
if(PGQRS_CCACHE AND PROJECT_IS_TOP_LEVEL)
  foreach(language IN ITEMS C CXX)
    if(NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER "${PGQRS_CCACHE}")
    endif()
  endforeach()
endif()
