package device_test

import (
	"strings"
	"testing"
)

// checkQR fails the test unless the screen shows a QR code that is whole: a
// square with a finder pattern in three corners and a border around it (ISO/IEC
// 18004, sections 6.3.3 and 6.3.8).
func checkQR(t *testing.T, screen string) {
	t.Helper()
	code := readBlocks(screen)
	const quiet, finder = 4, 7
	side := len(code) - 2*quiet
	half := (side - 21) % 4 // the last line of text may hold one row or two
	if side < 21 || half > 1 {
		t.Errorf("the screen shows no QR code, or %d rows of one:\n%s", len(code), screen)
		return
	}
	side -= half
	for _, corner := range [][2]int{{0, 0}, {side - finder, 0}, {0, side - finder}} {
		for y := -1; y <= finder; y++ {
			for x := -1; x <= finder; x++ {
				ring := max(abs(x-finder/2), abs(y-finder/2))
				want := ring != 2 && ring != 4
				if code[quiet+corner[1]+y][quiet+corner[0]+x] != want {
					t.Fatalf("the finder pattern at %v is broken:\n%s", corner, screen)
				}
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }

// readBlocks turns the screen's longest run of lines of half blocks into what
// they draw. The letters that gate draws as well are fewer lines.
func readBlocks(screen string) [][]bool {
	var best, run []string
	for line := range strings.Lines(screen + "\n\n") {
		line = strings.TrimSuffix(line, "\n")
		if strings.Trim(line, " ▀▄█") == "" && len(line) > 0 {
			run = append(run, line)
			continue
		}
		if len(run) > len(best) {
			best = run
		}
		run = nil
	}
	// They are indented by two.
	var code [][]bool
	for _, line := range best {
		upper, lower := make([]bool, columns), make([]bool, columns)
		x := -2
		for _, block := range line {
			if x >= 0 {
				upper[x] = block == '▀' || block == '█'
				lower[x] = block == '▄' || block == '█'
			}
			x++
		}
		code = append(code, upper, lower)
	}
	return code
}
