# Several files compiled as one, which costs a third: what they include is read, and templates are made, once. Only for
# builds that another build, without this, stands beside: a file can use what its neighbours include. Names in unnamed
# namespaces meet, so two files of one batch may not give one name to two things.

# Of files in one batch.
set(muster_batch_files 10)

# Files whose names mean other things in their neighbours.
set(muster_alone
  backup/lease.cc backup/rfc3339.cc
  cli/backup_metrics.cc cli/job_watchdog.cc cli/ssh_tunnel.cc
  inventory/host_additions.cc
  virt/check_definition.cc virt/image_files.cc virt/served_definition.cc
  yaml/syntax.cc
  tests/backup/damage_test.cc tests/backup/prune_test.cc tests/backup/storage_piped_test.cc
  tests/cli/run_output_test.cc
  tests/e2e/ssh_agent.cc tests/e2e/ssh_server.cc
  tests/fakes/lossy_files.cc
  tests/inventory/loader_test.cc
  tests/parallel-ssh/ssh_config_differential_test.cc tests/parallel-ssh/sudo_dialog_test.cc
  tests/virt/devices_test.cc tests/virt/identity_test.cc tests/virt/served_definition_test.cc
  tests/vm/snapshot_test.cc
  tests/yaml/syntax_test.cc)

# muster_batches(FOLDER): in every target of it and of the folders in it. A file's batch follows from its name and from
# how many batches its target has: a new file meets its own batch alone, unless it makes one batch more, which sorts all
# of them anew.
function(muster_batches folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    get_target_property(sources ${target} SOURCES)
    if(NOT type MATCHES "^(STATIC_LIBRARY|EXECUTABLE)$" OR NOT sources)
      continue()
    endif()
    list(LENGTH sources count)
    math(EXPR batches "(${count} + ${muster_batch_files} - 1) / ${muster_batch_files}")
    foreach(source IN LISTS sources)
      string(MD5 hash ${source})
      cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${folder} NORMALIZE)
      cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE path)
      if(path IN_LIST muster_alone)
        continue()
      endif()
      string(SUBSTRING ${hash} 0 6 hash)
      math(EXPR batch "0x${hash} % ${batches}")
      set_property(SOURCE ${source} DIRECTORY ${folder} PROPERTY UNITY_GROUP ${batch})
    endforeach()
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  endforeach()
  get_property(inner_folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(inner IN LISTS inner_folders)
    muster_batches(${inner})
  endforeach()
endfunction()

if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # It takes the files of a batch for headers.
  target_compile_options(muster_flags INTERFACE -Wno-subobject-linkage)
endif()
muster_batches(${CMAKE_SOURCE_DIR})
