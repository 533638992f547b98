# PGQRS_SANITIZE goes to every target, ours and third-party alike: a sanitizer that sees only a part
# of the program misses errors or reports false ones.
include_guard()

if(PGQRS_SANITIZE)
  add_compile_options(-fsanitize=${PGQRS_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PGQRS_SANITIZE})
endif()
