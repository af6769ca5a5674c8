// The lines of a check of the network, by what they are about. For the files of netcheck only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/tunnel/netcheck.h"

namespace sluice::tunnel {

std::vector<NetcheckLine> box_lines(const NetcheckEvidence& evidence);
std::vector<NetcheckLine> uplink_lines(const NetcheckEvidence& evidence,
                                       const UplinkEvidence& uplink);
std::vector<NetcheckLine> pop_lines(const NetcheckEvidence& evidence);

// Pieces of lines.
std::string ms_text(Duration time);    // "12.3 ms", "1.2 s"
std::string span_text(Duration time);  // "0.2 s", "3 min", "2 h", "365 days"
std::string span_text_zh(Duration time);
double ms(Duration time);
bool shim_answers(const UplinkEvidence& uplink);
bool udp_answers(const UplinkEvidence& uplink);

}  // namespace sluice::tunnel
