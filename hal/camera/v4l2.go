package camera

import "unsafe"

// The kernel's structures for V4L2 as linux/videodev2.h lays them out on 64-bit machines (Linux user-space API, part I:
// Video for Linux API). Reserved fields are kept because their size counts: it is part of an ioctl's number.

type capability struct {
	Driver       [16]byte
	Card         [32]byte
	Bus          [32]byte
	Version      uint32
	Capabilities uint32
	DeviceCaps   uint32
	_            [3]uint32
}

type formatDesc struct {
	Index       uint32
	Type        uint32
	Flags       uint32
	Description [32]byte
	PixelFormat uint32
	MediaBus    uint32
	_           [3]uint32
}

// format is struct v4l2_format with the member of its union that capture uses.
type format struct {
	Type uint32
	_    uint32
	Pix  pixFormat
	_    [152]byte
}

type pixFormat struct {
	Width        uint32
	Height       uint32
	PixelFormat  uint32
	Field        uint32
	BytesPerLine uint32
	SizeImage    uint32
	Colorspace   uint32
	Priv         uint32
	Flags        uint32
	Encoding     uint32
	Quantization uint32
	Transfer     uint32
}

type requestBuffers struct {
	Count        uint32
	Type         uint32
	Memory       uint32
	Capabilities uint32
	Flags        uint8
	_            [3]byte
}

type buffer struct {
	Index     uint32
	Type      uint32
	BytesUsed uint32
	Flags     uint32
	Field     uint32
	_         uint32
	Seconds   int64
	Micros    int64
	Timecode  [16]byte
	Sequence  uint32
	Memory    uint32
	Offset    uint32 // the union m, for V4L2_MEMORY_MMAP
	_         uint32
	Length    uint32
	_         uint32
	RequestFD int32
	_         uint32
}

type fraction struct {
	Numerator   uint32
	Denominator uint32
}

type streamParm struct {
	Type         uint32
	Capability   uint32
	Mode         uint32
	TimePerFrame fraction
	ExtendedMode uint32
	ReadBuffers  uint32
	_            [176]byte
}

type input struct {
	Index        uint32
	Name         [32]byte
	Type         uint32
	AudioSet     uint32
	Tuner        uint32
	Standard     uint64
	Status       uint32
	Capabilities uint32
	_            [3]uint32
	_            uint32
}

// frameSizes is struct v4l2_frmsizeenum; a discrete size is in MinWidth and MaxWidth.
type frameSizes struct {
	Index       uint32
	PixelFormat uint32
	Type        uint32
	MinWidth    uint32 // discrete: the width
	MaxWidth    uint32 // discrete: the height
	StepWidth   uint32
	MinHeight   uint32
	MaxHeight   uint32
	StepHeight  uint32
	_           [2]uint32
}

// frameIntervals is struct v4l2_frmivalenum; a discrete interval is in Min.
type frameIntervals struct {
	Index       uint32
	PixelFormat uint32
	Width       uint32
	Height      uint32
	Type        uint32
	Min         fraction
	Max         fraction
	Step        fraction
	_           [2]uint32
}

// timings is struct v4l2_dv_timings, whose members are packed: the pixel clock is a 64-bit number at offset 20.
type timings struct {
	Type         uint32
	Width        uint32
	Height       uint32
	Interlaced   uint32
	Polarities   uint32
	PixelClock   [2]uint32 // Hz, low word first
	HFrontPorch  uint32
	HSync        uint32
	HBackPorch   uint32
	VFrontPorch  uint32
	VSync        uint32
	VBackPorch   uint32
	IlVFrontPort uint32
	IlVSync      uint32
	IlVBackPorch uint32
	Standards    uint32
	Flags        uint32
	_            [60]byte
}

type event struct {
	Type      uint32
	_         uint32
	Data      [64]byte
	Pending   uint32
	Sequence  uint32
	Timestamp [2]int64
	ID        uint32
	_         [8]uint32
	_         uint32
}

type eventSubscription struct {
	Type  uint32
	ID    uint32
	Flags uint32
	_     [5]uint32
}

type queryControl struct {
	ID      uint32
	Type    uint32
	Name    [32]byte
	Minimum int32
	Maximum int32
	Step    int32
	Default int32
	Flags   uint32
	_       [2]uint32
}

type queryExtControl struct {
	ID       uint32
	Type     uint32
	Name     [32]byte
	Minimum  int64
	Maximum  int64
	Step     uint64
	Default  int64
	Flags    uint32
	ElemSize uint32
	Elems    uint32
	NrOfDims uint32
	Dims     [4]uint32
	_        [32]uint32
}

type queryMenu struct {
	ID    uint32
	Index uint32
	Name  [32]byte // an integer menu keeps a 64-bit number here
	_     uint32
}

// extControl is packed: its value is a 64-bit number at offset 12.
type extControl struct {
	ID    uint32
	Size  uint32
	_     uint32
	Value [2]uint32 // low word first
}

type extControls struct {
	Which     uint32
	Count     uint32
	ErrorIdx  uint32
	RequestFD int32
	_         uint32
	Controls  unsafe.Pointer
}

// An ioctl's number holds its direction, the size of its argument, the letter and a count, as asm-generic/ioctl.h lays it out
// (amd64, arm64, riscv64). The last line keeps the package from being built for 32 bits, where the structures differ.
const (
	toKernel   = 1<<30 | 'V'<<8
	fromKernel = 2<<30 | 'V'<<8
	bothWays   = toKernel | fromKernel

	queryCap       = fromKernel | unsafe.Sizeof(capability{})<<16 // number 0
	enumFormat     = bothWays | unsafe.Sizeof(formatDesc{})<<16 | 2
	getFormat      = bothWays | unsafe.Sizeof(format{})<<16 | 4
	setFormat      = bothWays | unsafe.Sizeof(format{})<<16 | 5
	reqBufs        = bothWays | unsafe.Sizeof(requestBuffers{})<<16 | 8
	queryBuf       = bothWays | unsafe.Sizeof(buffer{})<<16 | 9
	queueBuf       = bothWays | unsafe.Sizeof(buffer{})<<16 | 15
	dequeueBuf     = bothWays | unsafe.Sizeof(buffer{})<<16 | 17
	streamOn       = toKernel | unsafe.Sizeof(int32(0))<<16 | 18
	streamOff      = toKernel | unsafe.Sizeof(int32(0))<<16 | 19
	getParm        = bothWays | unsafe.Sizeof(streamParm{})<<16 | 21
	setParm        = bothWays | unsafe.Sizeof(streamParm{})<<16 | 22
	enumInput      = bothWays | unsafe.Sizeof(input{})<<16 | 26
	queryCtrl      = bothWays | unsafe.Sizeof(queryControl{})<<16 | 36
	queryCtrlMenu  = bothWays | unsafe.Sizeof(queryMenu{})<<16 | 37
	getInput       = fromKernel | unsafe.Sizeof(int32(0))<<16 | 38
	setInput       = bothWays | unsafe.Sizeof(int32(0))<<16 | 39
	getExtControls = bothWays | unsafe.Sizeof(extControls{})<<16 | 71
	setExtControls = bothWays | unsafe.Sizeof(extControls{})<<16 | 72
	enumSizes      = bothWays | unsafe.Sizeof(frameSizes{})<<16 | 74
	enumIntervals  = bothWays | unsafe.Sizeof(frameIntervals{})<<16 | 75
	setTimings     = bothWays | unsafe.Sizeof(timings{})<<16 | 87
	dequeueEvent   = fromKernel | unsafe.Sizeof(event{})<<16 | 89
	subscribeEvent = toKernel | unsafe.Sizeof(eventSubscription{})<<16 | 90
	queryTimings   = fromKernel | unsafe.Sizeof(timings{})<<16 | 99
	queryExtCtrl   = bothWays | unsafe.Sizeof(queryExtControl{})<<16 | 103

	_ = uint(unsafe.Sizeof(uintptr(0)) - 8)
)

// Values from linux/videodev2.h.
const (
	bufCapture = 1 // V4L2_BUF_TYPE_VIDEO_CAPTURE
	memoryMMap = 1 // V4L2_MEMORY_MMAP

	capCapture      = 0x00000001
	capCaptureMulti = 0x00001000
	capM2MMulti     = 0x00004000
	capM2M          = 0x00008000
	capStreaming    = 0x04000000
	capDeviceCaps   = 0x80000000

	fieldNone       = 1
	fieldInterlaced = 4
	fieldAlternate  = 7

	sizeDiscrete     = 1
	intervalDiscrete = 1

	bufKeyFrame  = 0x00000008
	bufError     = 0x00000040
	stampMask    = 0x0000e000
	stampKernels = 0x00002000 // CLOCK_MONOTONIC

	inputNoPower   = 0x00000001
	inputNoSignal  = 0x00000002
	inputNoHLock   = 0x00000100
	inputNoVLock   = 0x00000400
	inputNoSync    = 0x00010000
	inputNoCarrier = 0x00040000
	inputTimings   = 0x00000002 // V4L2_IN_CAP_DV_TIMINGS

	eventControl      = 3
	eventSourceChange = 5
)
