package page

import (
	"strings"
	"time"
	"unicode"
)

// DeviceCode asks for the code that a device shows.
type DeviceCode struct {
	// User who is signed in; "" if nobody is yet.
	User string
	// Action is where the form is posted to, with FieldUserCode.
	Action string
	Fields []Field
	// Code as entered before, or from the address
	// (verification_uri_complete, RFC 8628, section 3.3.1).
	Code string
	// Message is what was wrong with it, in plain words; "" if nothing.
	Message string
}

// DeviceConfirm asks whether the device that shows the code may act for the
// person. FieldDecision of its form is Approve or Refuse.
type DeviceConfirm struct {
	// Client that asks, in plain words.
	Client string
	// User who is signed in and would be acted for.
	User string
	// Code that the device must show as well.
	Code string
	// Scopes in plain words.
	Scopes []string
	// Address and UserAgent of the device as it began, Started.
	Address   string
	UserAgent string
	Started   time.Time

	Action string
	Fields []Field
}

// DeviceDone says what was decided.
type DeviceDone struct {
	Client   string
	Approved bool
	// Barred: the person approved, but may not use the client.
	Barred bool
}

type deviceConfirmView struct {
	DeviceConfirm
	Device  string
	Started moment
}

func (p DeviceCode) bounded() DeviceCode {
	p.User = line(p.User, maxName)
	p.Action = address(p.Action)
	p.Fields = whole(p.Fields)
	p.Code = grouped(p.Code)
	p.Message = line(p.Message, maxText)
	return p
}

func (p DeviceConfirm) bounded(now func() time.Time) deviceConfirmView {
	p.Client = line(p.Client, maxName)
	p.User = line(p.User, maxName)
	p.Code = grouped(p.Code)
	p.Scopes = lines(p.Scopes, maxLine)
	p.Address = line(p.Address, maxName)
	p.UserAgent = line(p.UserAgent, maxLine)
	p.Action = address(p.Action)
	p.Fields = whole(p.Fields)
	return deviceConfirmView{DeviceConfirm: p, Device: Browser(p.UserAgent), Started: momentOf(p.Started, now)}
}

func (p DeviceDone) bounded() DeviceDone {
	p.Client = line(p.Client, maxName)
	return p
}

// grouped shows a user code of eight letters as two groups of four, in
// capitals. Anything else is shown as it is, for the person to correct.
func grouped(code string) string {
	code = entered(code, 2*userCodeLength)
	letters := strings.Map(func(c rune) rune {
		if c == '-' || unicode.IsSpace(c) {
			return -1
		}
		return unicode.ToUpper(c)
	}, code)
	if len(letters) != userCodeLength {
		return line(code, 2*userCodeLength)
	}
	for _, c := range letters {
		if c < 'A' || c > 'Z' {
			return line(code, 2*userCodeLength)
		}
	}
	return letters[:userCodeLength/2] + "-" + letters[userCodeLength/2:]
}

const userCodeLength = 8
