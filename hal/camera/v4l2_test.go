package camera

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"testing"
	"unsafe"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The numbers are those that gcc gives for linux/videodev2.h on amd64; they hold the size of each structure.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"VIDIOC_QUERYCAP", queryCap, 0x80685600},
		{"VIDIOC_ENUM_FMT", enumFormat, 0xc0405602},
		{"VIDIOC_G_FMT", getFormat, 0xc0d05604},
		{"VIDIOC_S_FMT", setFormat, 0xc0d05605},
		{"VIDIOC_REQBUFS", reqBufs, 0xc0145608},
		{"VIDIOC_QUERYBUF", queryBuf, 0xc0585609},
		{"VIDIOC_QBUF", queueBuf, 0xc058560f},
		{"VIDIOC_DQBUF", dequeueBuf, 0xc0585611},
		{"VIDIOC_STREAMON", streamOn, 0x40045612},
		{"VIDIOC_STREAMOFF", streamOff, 0x40045613},
		{"VIDIOC_S_PARM", setParm, 0xc0cc5616},
		{"VIDIOC_ENUMINPUT", enumInput, 0xc050561a},
		{"VIDIOC_QUERYCTRL", queryCtrl, 0xc0445624},
		{"VIDIOC_QUERYMENU", queryCtrlMenu, 0xc02c5625},
		{"VIDIOC_G_INPUT", getInput, 0x80045626},
		{"VIDIOC_S_INPUT", setInput, 0xc0045627},
		{"VIDIOC_G_EXT_CTRLS", getExtControls, 0xc0205647},
		{"VIDIOC_S_EXT_CTRLS", setExtControls, 0xc0205648},
		{"VIDIOC_ENUM_FRAMESIZES", enumSizes, 0xc02c564a},
		{"VIDIOC_ENUM_FRAMEINTERVALS", enumIntervals, 0xc034564b},
		{"VIDIOC_S_DV_TIMINGS", setTimings, 0xc0845657},
		{"VIDIOC_DQEVENT", dequeueEvent, 0x80885659},
		{"VIDIOC_SUBSCRIBE_EVENT", subscribeEvent, 0x4020565a},
		{"VIDIOC_QUERY_DV_TIMINGS", queryTimings, 0x80845663},
		{"VIDIOC_QUERY_EXT_CTRL", queryExtCtrl, 0xc0e85667},
	} {
		if c.got != c.want {
			t.Errorf("%s = %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

// Sizes and offsets as gcc gives them; the kernel's are the same on all 64-bit machines, and so must ours be.
func TestLayouts(t *testing.T) {
	want := map[string]int64{
		"capability": 104, "formatDesc": 64, "format": 208, "pixFormat": 48, "requestBuffers": 20, "buffer": 88, "streamParm": 204,
		"input": 80, "queryControl": 68, "queryExtControl": 232, "queryMenu": 44, "frameSizes": 44, "frameIntervals": 52,
		"timings": 132, "event": 136, "eventSubscription": 32, "extControls": 32, "extControl": 20, "fraction": 8,
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "v4l2.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64", "riscv64"} {
		sizes := types.SizesFor("gc", arch)
		config := types.Config{Importer: importer.Default(), Sizes: sizes}
		pkg, err := config.Check("camera", set, []*ast.File{file}, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, name := range pkg.Scope().Names() {
			object, ok := pkg.Scope().Lookup(name).(*types.TypeName)
			if !ok {
				continue
			}
			seen++
			if got := sizes.Sizeof(object.Type()); got != want[name] {
				t.Errorf("%s: %s has %d bytes, want %d", arch, name, got, want[name])
			}
		}
		if seen != len(want) {
			t.Errorf("%s: %d structures, want %d", arch, seen, len(want))
		}
	}
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"v4l2_format.fmt", unsafe.Offsetof(format{}.Pix), 8},
		{"v4l2_buffer.timestamp", unsafe.Offsetof(buffer{}.Seconds), 24},
		{"v4l2_buffer.sequence", unsafe.Offsetof(buffer{}.Sequence), 56},
		{"v4l2_buffer.m", unsafe.Offsetof(buffer{}.Offset), 64},
		{"v4l2_buffer.length", unsafe.Offsetof(buffer{}.Length), 72},
		{"v4l2_streamparm.parm.capture.timeperframe", unsafe.Offsetof(streamParm{}.TimePerFrame), 12},
		{"v4l2_input.std", unsafe.Offsetof(input{}.Standard), 48},
		{"v4l2_input.status", unsafe.Offsetof(input{}.Status), 56},
		{"v4l2_input.capabilities", unsafe.Offsetof(input{}.Capabilities), 60},
		{"v4l2_query_ext_ctrl.minimum", unsafe.Offsetof(queryExtControl{}.Minimum), 40},
		{"v4l2_query_ext_ctrl.flags", unsafe.Offsetof(queryExtControl{}.Flags), 72},
		{"v4l2_querymenu.name", unsafe.Offsetof(queryMenu{}.Name), 8},
		{"v4l2_dv_timings.bt.pixelclock", unsafe.Offsetof(timings{}.PixelClock), 20},
		{"v4l2_event.u", unsafe.Offsetof(event{}.Data), 8},
		{"v4l2_event.id", unsafe.Offsetof(event{}.ID), 96},
		{"v4l2_ext_controls.controls", unsafe.Offsetof(extControls{}.Controls), 24},
		{"v4l2_ext_control.value", unsafe.Offsetof(extControl{}.Value), 12},
	} {
		if c.got != c.want {
			t.Errorf("%s at %d, want %d", c.name, c.got, c.want)
		}
	}
}
