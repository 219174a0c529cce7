// A failure for people: what went wrong, and each event with its source line.
#pragma once

#include <string>

#include "Execution.hpp"

namespace mm {

std::string report(const Execution &execution);

}  // namespace mm
