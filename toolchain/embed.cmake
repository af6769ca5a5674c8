# cmake -DOUT= -DFOLDER= -DNAMESPACE= -DFUNCTION= -P embed.cmake
# Writes a .cpp that returns the folder's files (README.md left out) as names and bytes.
file(GLOB files RELATIVE ${FOLDER} ${FOLDER}/*)
list(FILTER files EXCLUDE REGEX "README.md$")
list(SORT files)
set(arrays "")
set(table "")
set(index 0)
foreach(file ${files})
  if(NOT IS_DIRECTORY ${FOLDER}/${file})
    file(READ ${FOLDER}/${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
    string(APPEND arrays "const char kFile${index}[] = {${bytes}'\\0'};\n")
    string(APPEND table "      {\"${file}\", {kFile${index}, sizeof(kFile${index}) - 1}},\n")
    math(EXPR index "${index} + 1")
  endif()
endforeach()
file(WRITE ${OUT} "// Generated from ${FUNCTION}'s folder; do not edit.
#include \"firmware/base/embedded.h\"

namespace ${NAMESPACE} {

namespace {
${arrays}}  // namespace

std::vector<sluice::EmbeddedFile> ${FUNCTION}();
std::vector<sluice::EmbeddedFile> ${FUNCTION}() {
  return {
${table}  };
}

}  // namespace ${NAMESPACE}
")
