# The warnings that our own code is free of.
include_guard()

# pgqrs_set_warnings(<target>)
function(pgqrs_set_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow
                                           $<$<BOOL:${PGQRS_WERROR}>:-Werror>)
  # In a unity build GCC takes the lambdas of a source file for those of a header.
  if(CMAKE_UNITY_BUILD)
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()
