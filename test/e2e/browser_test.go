package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// chromium is the package's one browser: starting it is dear. It starts with the first test that needs it.
var chromium shared

type shared struct {
	once sync.Once
	root context.Context
	end  func()
	err  error
}

// start runs headless Chromium with a made-up camera and microphone.
func (s *shared) start() (context.Context, error) {
	s.once.Do(func() {
		o := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(chromiumPath), chromedp.NoSandbox, chromedp.WindowSize(1280, 800), chromedp.WSURLReadTimeout(patience),
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
			chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
			chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.Flag("allow-loopback-in-peer-connection", true),
			// The box's own CA is checked by the Go side of these tests; Chromium has no option to trust one file.
			chromedp.Flag("ignore-certificate-errors", true),
			// All tabs count as visible: a hall screen and a member's page run at the same time.
			chromedp.Flag("disable-features", "CalculateNativeWinOcclusion"), chromedp.Flag("disable-backgrounding-occluded-windows", true),
			chromedp.Flag("disable-renderer-backgrounding", true), chromedp.Flag("disable-background-timer-throttling", true))
		alloc, stop := chromedp.NewExecAllocator(context.Background(), o...)
		root, cancel := chromedp.NewContext(alloc)
		s.root, s.end = root, func() { cancel(); stop() }
		s.err = chromedp.Do(root)
	})
	return s.root, s.err
}

// stop ends it when all tests are done.
func (s *shared) stop() {
	if s.end != nil {
		s.end()
	}
}

// browser is a test's own profile in Chromium, with tabs of several people in it.
type browser struct {
	t    *testing.T
	root context.Context
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	shared, err := chromium.start()
	if err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	root, cancel := chromedp.NewContext(shared, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(root); err != nil {
		t.Fatalf("a new profile in Chromium: %v", err)
	}
	return &browser{t: t, root: root}
}

// tab is one person's page.
type tab struct {
	t    *testing.T
	name string
	ctx  context.Context
}

// open loads a page in a tab of its own.
func (b *browser) open(name, url string, width, height int64) *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.root)
	tb := &tab{t: b.t, name: name, ctx: ctx}
	b.t.Cleanup(func() {
		if b.t.Failed() {
			b.t.Logf("the %s page at the end: %s", name, tb.picture(filepath.Join(kept(b.t), name+".png")))
		}
		cancel()
	})
	// The first action binds the tab's life to its context, so it gets the long-lived one.
	if err := chromedp.Do(ctx); err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	tb.do(chromedp.EmulateViewport(width, height), chromedp.Navigate(url))
	return tb
}

func (tb *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		tb.t.Fatalf("%s: %v", tb.name, err)
	}
}

// click waits for an element and clicks it.
func (tb *tab) click(selector string) {
	tb.t.Helper()
	tb.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// eval asks the page; promises are awaited.
func (tb *tab) eval(expr string, into any) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf("(async () => JSON.stringify(await (%s)) ?? 'null')()", expr),
		chromedp.EvalAsValue, chromedp.EvalAwaitPromise))
	if err != nil {
		tb.t.Fatalf("%s: %s: %v", tb.name, expr, err)
	}
	if err := json.Unmarshal([]byte(raw), into); err != nil {
		tb.t.Fatalf("%s: %s gave %q: %v", tb.name, expr, raw, err)
	}
}

// until waits for something in the page to be true.
func (tb *tab) until(what, expr string) {
	tb.t.Helper()
	eventually(tb.t, tb.name+": "+what, func() (ok bool) {
		tb.t.Helper()
		tb.eval("Boolean("+expr+")", &ok)
		return ok
	})
}

// shot writes a picture of the page to run/shots and returns where it is.
func (tb *tab) shot(name string) string {
	return tb.picture(absolute("../../run/shots/" + name + ".png"))
}

func (tb *tab) picture(path string) string {
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return "no picture: " + err.Error()
	}
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, png, 0o644); err != nil {
		return err.Error()
	}
	return "picture: " + path
}
