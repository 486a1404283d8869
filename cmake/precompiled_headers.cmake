# What most files include, compiled once for all targets of one build. Only for builds that another build, without this,
# stands beside: with it, a file that forgets an include of its own still compiles.

# Some libraries go into a shared object, and all files have to agree with the headers.
target_compile_options(muster_flags INTERFACE -fPIC)

# muster_precompile(NAME HEADERS header... LINKS library...): the headers as targets that link these libraries see them.
function(muster_precompile name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LINKS" ${ARGN})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/precompiled.cc CONTENT "// Compiles the headers.\n")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/generated/precompiled.cc)
  target_link_libraries(${name} PUBLIC muster_flags ${ARG_LINKS})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

# muster_use_precompiled(FOLDER): in every target of it and of the folders in it.
function(muster_use_precompiled folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    if(NOT type MATCHES "^(STATIC_LIBRARY|EXECUTABLE)$")
      continue()
    endif()
    get_target_property(links ${target} LINK_LIBRARIES)
    if(links MATCHES GTest)
      set(headers precompiled-for-tests)
    else()
      set(headers precompiled)
    endif()
    target_precompile_headers(${target} REUSE_FROM ${headers})
    # Macros of the command line have to agree.
    target_link_libraries(${target} PRIVATE fmt::fmt)
  endforeach()
  get_property(inner_folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(inner IN LISTS inner_folders)
    muster_use_precompiled(${inner})
  endforeach()
endfunction()

set(often_included <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <filesystem> <functional> <map>
  <memory> <mutex> <optional> <set> <span> <sstream> <string> <string_view> <thread> <utility> <vector>
  <fmt/format.h> <nlohmann/json.hpp>)
muster_precompile(precompiled HEADERS ${often_included} LINKS fmt::fmt nlohmann_json::nlohmann_json)
if(MUSTER_TESTS)
  muster_precompile(precompiled-for-tests HEADERS ${often_included} <gtest/gtest.h>
    LINKS fmt::fmt nlohmann_json::nlohmann_json GTest::gtest)
endif()
muster_use_precompiled(${CMAKE_SOURCE_DIR})
