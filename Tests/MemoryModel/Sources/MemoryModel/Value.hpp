// What a location holds.
#pragma once

namespace mm {

using Value = unsigned __int128;

}  // namespace mm
