#include "hip/portable/emulator_touches.h"

#include "hip/portable/portable.h"

namespace aurora::hip::emulator {
namespace {

uint16_t valueAt(const std::byte* p) {
  uint16_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace

std::optional<Conflict> Touches::touch(int thread, const std::byte* shared, size_t at, size_t bytes, bool write) {
  const auto mine = static_cast<int16_t>(thread);
  const auto otherWave = [&](int16_t other) { return other / kWave != mine / kWave; };
  for (size_t index = at / kCell; index <= (at + bytes - 1) / kCell; ++index) {
    Cell& cell = cells_[index];
    const bool readBefore = cell.read == stretch_, writtenBefore = cell.written == stretch_;
    const bool afterWrite = writtenBefore && otherWave(cell.writer);
    const bool afterRead = readBefore && (cell.manyReaders || otherWave(cell.reader));
    if (afterWrite && !write) return Conflict{index * kCell, false, cell.writer, true};
    if (write && (afterWrite || afterRead)) doubtful_.push_back({index, valueAt(shared + index * kCell), afterWrite ? cell.writer : cell.reader, afterWrite});
    if (write) {
      cell.written = stretch_;
      cell.writer = mine;
    } else {
      cell.manyReaders = readBefore && (cell.manyReaders || otherWave(cell.reader));
      cell.read = stretch_;
      cell.reader = mine;
    }
  }
  return std::nullopt;
}

std::optional<Conflict> Touches::judgeWrites(const std::byte* shared) {
  for (const DoubtfulWrite& write : doubtful_)
    if (valueAt(shared + write.cell * kCell) != write.before) return Conflict{write.cell * kCell, true, write.other, write.afterWrite};
  doubtful_.clear();
  return std::nullopt;
}

}  // namespace aurora::hip::emulator
