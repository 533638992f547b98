# Installs BUILD_DIR into an empty PREFIX and looks at what came.
file(REMOVE_RECURSE "${PREFIX}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${PREFIX}"
                        COMMAND_ERROR_IS_FATAL ANY)

file(GLOB_RECURSE headers RELATIVE "${PREFIX}/include" "${PREFIX}/include/*")
if(NOT headers)
  message(FATAL_ERROR "no header was installed")
endif()
foreach(header IN LISTS headers)
  if(NOT header MATCHES "^pgqrs/[a-z0-9_]+\\.h$")
    message(FATAL_ERROR "${header} is no public header")
  endif()
endforeach()
