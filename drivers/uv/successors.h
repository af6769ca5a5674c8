// Starting another process of this program, with descriptors of ours, and hearing what it reports.
// It inherits standard input, output and error, and nothing else that is not named.
// Lifetime: a Successor ends before the loop. The process lives on.
#pragma once

#include "drivers/uv/loop.h"
#include "firmware/ports/successor.h"

namespace sluice::drivers {

class UvSuccessors final : public ports::Successors {
 public:
  explicit UvSuccessors(UvLoop& loop) : loop_(loop) {}
  Result<std::unique_ptr<ports::Successor>> start(ports::SuccessorSpec spec, OnReport on_report,
                                                  OnLost on_lost) override;

 private:
  UvLoop& loop_;
};

}  // namespace sluice::drivers
