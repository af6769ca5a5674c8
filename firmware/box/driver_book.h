// The drivers as files: those inside the program, and those of the site's folder.
#pragma once

#include <string>
#include <vector>

#include "firmware/ports/files.h"
#include "firmware/sense/driver_catalog.h"

namespace sluice::box {

// Errors: broken program only; they name file and line.
Result<sense::DriverCatalog> built_in_drivers();

struct DriverBook {
  sense::DriverCatalog catalog;
  // Of the site's files: refused, with file:line and what to write. What is at fault is left out.
  std::vector<Error> faults;
};

// With those of `folder`/engines and `folder`/accelerators, which add to the built-in ones or take
// the place of one of the same name. A folder that is not there holds none; files whose name does
// not end in .yaml are left alone.
Result<DriverBook> read_drivers(const std::string& folder, ports::Files& files);

}  // namespace sluice::box
