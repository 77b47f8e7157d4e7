package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// tick is the unit of the kernel's process times (USER_HZ).
const tick = time.Second / 100

// CPU returns how much processor time a process has used, in steps of 10 ms.
func CPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, fmt.Errorf("reading process times: %w", err)
	}
	// The second field is the program's name, in brackets; utime and stime are
	// the 14th and 15th (proc(5)).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("reading process times: %q has too few fields", stat)
	}
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(string(field))
		if err != nil {
			return 0, fmt.Errorf("reading process times: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}
