# The toolchain file of every build: pyodide-build's own, and then what makes CMake packages build untouched.
#
# A value that a recipe or a package gives wins. No compiler flag is added, but for those of a build type if none is named.

include("$ENV{EMWHEELS_CMAKE_TOOLCHAIN}")
get_property(_emwheels_checking GLOBAL PROPERTY IN_TRY_COMPILE)

# The headers of the target's Python, for all three modules that look for them. The interpreter stays the one that
# builds: a backend gives its headers, be they there or not. Nothing links libpython, so that is an empty archive.
if(NOT "$ENV{PYTHONINCLUDE}" STREQUAL "")
  foreach(_emwheels_name IN ITEMS Python Python3 PYTHON)
    if(NOT DEFINED ${_emwheels_name}_INCLUDE_DIR OR "${${_emwheels_name}_INCLUDE_DIR}" MATCHES "^/(usr|opt|tmp/build-env)")
      unset(${_emwheels_name}_INCLUDE_DIR)
      set(${_emwheels_name}_INCLUDE_DIR "$ENV{PYTHONINCLUDE}" CACHE PATH "Headers of the target's Python" FORCE)
    endif()
    if(NOT DEFINED ${_emwheels_name}_LIBRARY)
      set(${_emwheels_name}_LIBRARY
        "${CMAKE_CURRENT_LIST_DIR}/empty/lib/libpython$ENV{PYMAJOR}.$ENV{PYMINOR}.a" CACHE FILEPATH "An empty archive")
    endif()
  endforeach()
endif()

# Build requirements bring CMake files, such as nanobind's, and numpy its headers. find_package and find_path look at
# nothing outside of the roots. The headers are there if the recipe is compiled against numpy.
if(NOT "$ENV{BUILD_ENV_SCRIPTS_DIR}" STREQUAL "")
  get_filename_component(_emwheels_packages "$ENV{BUILD_ENV_SCRIPTS_DIR}" DIRECTORY)
  set(_emwheels_packages "${_emwheels_packages}/lib/python$ENV{PYMAJOR}.$ENV{PYMINOR}/site-packages")
  list(APPEND CMAKE_FIND_ROOT_PATH "${_emwheels_packages}")
  set(_emwheels_numpy "${_emwheels_packages}/numpy/_core/include")
  if(EXISTS "$ENV{PYODIDE_ROOT}/../site-packages-extras/numpy" AND EXISTS "${_emwheels_numpy}")
    foreach(_emwheels_name IN ITEMS Python Python3)
      if(NOT DEFINED ${_emwheels_name}_NumPy_INCLUDE_DIR)
        set(${_emwheels_name}_NumPy_INCLUDE_DIR "${_emwheels_numpy}" CACHE PATH "Headers of numpy")
      endif()
    endforeach()
  endif()
endif()

# A package that names no build type is no debug build: the assertions in Python's headers would name their folder.
if(NOT "$ENV{BUILD_ENV_SCRIPTS_DIR}" STREQUAL "" AND NOT DEFINED CMAKE_BUILD_TYPE AND NOT _emwheels_checking)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "")
endif()

# pybind11's own way to find Python holds the pointers of the one that builds against those of the target.
if(NOT DEFINED PYBIND11_PYTHONLIBS_OVERWRITE)
  set(PYBIND11_PYTHONLIBS_OVERWRITE OFF CACHE BOOL "What is given goes before what the Python that builds says")
endif()
if(NOT DEFINED PYTHON_SIZEOF_VOID_P)
  set(PYTHON_SIZEOF_VOID_P 4 CACHE INTERNAL "Of the target's Python")
endif()

# With policy CMP0190 (CMake 4.1), FindPython starts the Python that builds by the emulator. This one starts both.
if("${CMAKE_CROSSCOMPILING_EMULATOR}" MATCHES "(^|/)node(js)?$")
  set(ENV{EMWHEELS_NODE} "${CMAKE_CROSSCOMPILING_EMULATOR}")
  set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/emulator")
endif()

# libm, libdl, librt and libpthread are part of the C library: find_library finds empty archives.
list(APPEND CMAKE_FIND_ROOT_PATH "${CMAKE_CURRENT_LIST_DIR}/empty")

# There is pthread.h, and its functions are in the C library. Starting a thread fails at run time.
if(NOT DEFINED CMAKE_HAVE_LIBC_PTHREAD)
  set(CMAKE_HAVE_LIBC_PTHREAD 1 CACHE INTERNAL "Have function pthread_create")
endif()
# OpenMP needs threads.
if(NOT DEFINED CMAKE_DISABLE_FIND_PACKAGE_OpenMP)
  set(CMAKE_DISABLE_FIND_PACKAGE_OpenMP ON CACHE BOOL "There are no threads")
endif()

# pyodide-build takes a command that names a side module for the link of one. In a check such a name is an option.
if(_emwheels_checking)
  foreach(_emwheels_name IN ITEMS C CXX)
    string(CONCAT CMAKE_${_emwheels_name}_LINK_EXECUTABLE
      "/usr/bin/python3 -I -S \"${CMAKE_CURRENT_LIST_DIR}/name_modules.py\" <CMAKE_${_emwheels_name}_COMPILER> <FLAGS> "
      "<CMAKE_${_emwheels_name}_LINK_FLAGS> <LINK_FLAGS> <OBJECTS> -o <TARGET> <LINK_LIBRARIES>")
  endforeach()
endif()

# What the recipe lists under extra.emwheels.downloads. Else a library of the recipe's host requirements is taken.
if(NOT DEFINED FETCHCONTENT_TRY_FIND_PACKAGE_MODE AND NOT FETCHCONTENT_FULLY_DISCONNECTED)
  set(FETCHCONTENT_TRY_FIND_PACKAGE_MODE ALWAYS CACHE STRING "Look for an installed library first")
endif()
file(GLOB _emwheels_downloads LIST_DIRECTORIES TRUE RELATIVE "$ENV{EMWHEELS_DOWNLOADS}" "$ENV{EMWHEELS_DOWNLOADS}/*")
foreach(_emwheels_name IN LISTS _emwheels_downloads)
  set(_emwheels_folder "$ENV{EMWHEELS_DOWNLOADS}/${_emwheels_name}")
  string(TOUPPER "${_emwheels_name}" _emwheels_upper)
  set(FETCHCONTENT_SOURCE_DIR_${_emwheels_upper} "${_emwheels_folder}" CACHE PATH "From extra.emwheels.downloads")
  set(CPM_${_emwheels_name}_SOURCE "${_emwheels_folder}" CACHE PATH "From extra.emwheels.downloads")
  # CPM's own file, where projects look for it before they download it.
  if(EXISTS "${_emwheels_folder}/CPM.cmake" AND NOT _emwheels_checking)
    file(STRINGS "${_emwheels_folder}/CPM.cmake" _emwheels_version REGEX "^set\\(CURRENT_CPM_VERSION [0-9.]+\\)")
    string(REGEX MATCH "[0-9][0-9.]*" _emwheels_version "${_emwheels_version}")
    configure_file("${_emwheels_folder}/CPM.cmake" "${CMAKE_BINARY_DIR}/cmake/CPM_${_emwheels_version}.cmake" COPYONLY)
  endif()
endforeach()
if(_emwheels_downloads)
  list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}/modules")
endif()
