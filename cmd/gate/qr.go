package main

import (
	"strings"

	"rsc.io/qr"
)

// quiet is the light border of a QR code in modules (ISO/IEC 18004, 6.3.8).
const quiet = 4

// bitmap is drawn with half blocks, two rows of it in one line of text.
type bitmap struct {
	width, height int
	black         func(x, y int) bool
}

// qrCode of an address, with its border.
func qrCode(text string) (bitmap, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return bitmap{}, err
	}
	side := code.Size + 2*quiet
	return bitmap{width: side, height: side, black: func(x, y int) bool { return code.Black(x-quiet, y-quiet) }}, nil
}

// lines of the bitmap: what is black is drawn.
func (b bitmap) lines() []string {
	blocks := [...]string{" ", "▀", "▄", "█"}
	var lines []string
	for y := 0; y < b.height; y += 2 {
		var line strings.Builder
		for x := range b.width {
			i := 0
			if b.black(x, y) {
				i = 1
			}
			if y+1 < b.height && b.black(x, y+1) {
				i += 2
			}
			line.WriteString(blocks[i])
		}
		lines = append(lines, line.String())
	}
	return lines
}

// Black on white, whatever the terminal's own colours are: readers of QR codes
// want it so.
const (
	blackOnWhite = "\x1b[38;5;16;48;5;231m"
	plainColours = "\x1b[0m"
)

// qrLines draws the QR code of an address; none if it is too wide.
func qrLines(address string, columns int) []string {
	b, err := qrCode(address)
	if err != nil || b.width+2 > columns {
		return nil
	}
	lines := b.lines()
	for i, line := range lines {
		lines[i] = "  " + blackOnWhite + line + plainColours
	}
	return lines
}
