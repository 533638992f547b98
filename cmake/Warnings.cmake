# The warnings that our own code is free of.
include_guard()

# pgqrs_set_warnings(<target>)
function(pgqrs_set_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow
                                           $<$<BOOL:${PGQRS_WERROR}>:-Werror>)
endfunction()
