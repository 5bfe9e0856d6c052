package camera

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Controls of cameras that this house uses, by their numbers in linux/v4l2-controls.h.
const (
	CtrlPan      uint32 = 0x009a0908 // V4L2_CID_PAN_ABSOLUTE: 1/3600 degree, positive to the right
	CtrlTilt     uint32 = 0x009a0909 // V4L2_CID_TILT_ABSOLUTE: 1/3600 degree, positive upwards
	CtrlZoom     uint32 = 0x009a090d // V4L2_CID_ZOOM_ABSOLUTE: in the camera's own units
	CtrlPrivacy  uint32 = 0x009a0910 // V4L2_CID_PRIVACY: 1: the shutter is closed
	ctrlForceKey uint32 = 0x009909e5 // V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME
)

// Kind of a control (enum v4l2_ctrl_type).
type Kind uint32

// Kinds of controls that have one number for a value.
const (
	KindInteger     Kind = 1
	KindBoolean     Kind = 2
	KindMenu        Kind = 3
	KindButton      Kind = 4 // write-only: setting it does something
	KindInteger64   Kind = 5
	KindBitmask     Kind = 8
	KindIntegerMenu Kind = 9
)

// Control describes a setting of a camera.
type Control struct {
	ID                      uint32
	Name                    string
	Kind                    Kind
	Min, Max, Step, Default int64
	ReadOnly                bool
	Menu                    map[int64]string // words of a menu's numbers, which need not be without gaps
}

const (
	ctrlNext     = 0x80000000 // V4L2_CTRL_FLAG_NEXT_CTRL
	ctrlDisabled = 0x0001
	ctrlReadOnly = 0x0004
	maxControls  = 1024
)

// Controls lists the camera's settings, those without a plain number for a value left out.
func (c *Camera) Controls() ([]Control, error) {
	var found []Control
	for id, i := uint32(0), 0; i < maxControls; i++ {
		q := queryExtControl{ID: id | ctrlNext}
		err := c.query(&q)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTTY) {
			break // the end, or none at all
		}
		if err != nil {
			return nil, fmt.Errorf("listing the controls of camera %s: %w", c.spec, explain(err))
		}
		if q.ID <= id {
			break // the driver turns in circles
		}
		id = q.ID
		if q.Flags&ctrlDisabled == 0 && Kind(q.Type).plain() {
			found = append(found, c.describe(&q))
		}
	}
	return found, nil
}

func (k Kind) plain() bool {
	return k >= KindInteger && k <= KindInteger64 || k == KindBitmask || k == KindIntegerMenu
}

// query asks about a control; drivers without the newer request have the older one.
func (c *Camera) query(q *queryExtControl) error {
	err := c.ioctl(queryExtCtrl, unsafe.Pointer(q))
	if !errors.Is(err, unix.ENOTTY) {
		return err
	}
	old := queryControl{ID: q.ID}
	if err := c.ioctl(queryCtrl, unsafe.Pointer(&old)); err != nil {
		return err
	}
	*q = queryExtControl{
		ID: old.ID, Type: old.Type, Name: old.Name, Flags: old.Flags, Elems: 1,
		Minimum: int64(old.Minimum), Maximum: int64(old.Maximum), Step: uint64(max(old.Step, 0)), Default: int64(old.Default),
	}
	return nil
}

func (c *Camera) describe(q *queryExtControl) Control {
	d := Control{
		ID: q.ID, Name: text(q.Name[:]), Kind: Kind(q.Type), ReadOnly: q.Flags&ctrlReadOnly != 0,
		Min: q.Minimum, Max: q.Maximum, Step: int64(min(q.Step, math.MaxInt64)), Default: q.Default,
	}
	if d.Kind != KindMenu && d.Kind != KindIntegerMenu {
		return d
	}
	d.Menu = map[int64]string{}
	for i := max(0, d.Min); i <= min(d.Max, d.Min+maxChoices); i++ {
		m := queryMenu{ID: q.ID, Index: uint32(i)}
		if c.ioctl(queryCtrlMenu, unsafe.Pointer(&m)) != nil {
			continue
		}
		if d.Kind == KindMenu {
			d.Menu[i] = text(m.Name[:])
		} else {
			d.Menu[i] = fmt.Sprint(int64(binary.NativeEndian.Uint64(m.Name[:])))
		}
	}
	return d
}

// Control reads a control. The error is ErrNoControl when the camera does not have it.
func (c *Camera) Control(id uint32) (int64, error) {
	k, err := c.kind(id)
	if err != nil {
		return 0, fmt.Errorf("camera %s: %w", c.spec, err)
	}
	v := extControl{ID: id}
	if err := c.extended(getExtControls, &v); err != nil {
		return 0, fmt.Errorf("camera %s: reading control %#x: %w", c.spec, id, err)
	}
	switch k {
	case KindInteger64:
		return int64(uint64(v.Value[0]) | uint64(v.Value[1])<<32), nil
	case KindBitmask:
		return int64(v.Value[0]), nil
	}
	return int64(int32(v.Value[0])), nil
}

// SetControl writes a control; for pan and tilt that starts a movement and does not wait for its end. The error is
// ErrNoControl when the camera does not have it. Values beyond the limits are refused by the driver or cut to them.
func (c *Camera) SetControl(id uint32, value int64) error {
	k, err := c.kind(id)
	if err != nil {
		return fmt.Errorf("camera %s: %w", c.spec, err)
	}
	if k != KindInteger64 && k != KindBitmask && (value < math.MinInt32 || value > math.MaxInt32) {
		return fmt.Errorf("camera %s: control %#x does not take %d", c.spec, id, value)
	}
	v := extControl{ID: id, Value: [2]uint32{uint32(value), uint32(uint64(value) >> 32)}}
	if err := c.extended(setExtControls, &v); err != nil {
		return fmt.Errorf("camera %s: setting control %#x to %d: %w", c.spec, id, value, err)
	}
	return nil
}

// ForceKey asks a camera that gives H.264 for a picture that stands on its own. The error is ErrNoControl when it cannot be
// asked; it then sends one when it sees fit.
func (c *Camera) ForceKey() error { return c.SetControl(ctrlForceKey, 1) }

func (c *Camera) kind(id uint32) (Kind, error) {
	q := queryExtControl{ID: id}
	err := c.query(&q)
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTTY), err == nil && q.Flags&ctrlDisabled != 0:
		return 0, fmt.Errorf("%w (%#x)", ErrNoControl, id)
	case err != nil:
		return 0, explain(err)
	case !Kind(q.Type).plain():
		return 0, fmt.Errorf("control %#x has no plain number for a value", id)
	}
	return Kind(q.Type), nil
}

func (c *Camera) extended(request uintptr, v *extControl) error {
	all := extControls{Count: 1, Controls: unsafe.Pointer(v)}
	if err := c.ioctl(request, unsafe.Pointer(&all)); err != nil {
		return explain(err)
	}
	return nil
}
