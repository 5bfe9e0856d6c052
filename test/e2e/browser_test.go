package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser is one Chromium with tabs of several people in it.
type browser struct {
	t    *testing.T
	root context.Context
}

// startBrowser runs headless Chromium with a made-up camera and microphone.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	o := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoSandbox, chromedp.WindowSize(1280, 800),
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
	if err := chromedp.Do(root); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	t.Cleanup(func() { cancel(); stop() })
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
	b.t.Cleanup(cancel)
	tb := &tab{t: b.t, name: name, ctx: ctx}
	// The first action binds the tab's life to its context, so it gets the long-lived one.
	if err := chromedp.Do(ctx); err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	tb.do(chromedp.EmulateViewport(width, height), chromedp.Navigate(url))
	return tb
}

func (tb *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		tb.t.Fatalf("%s: %v\n%s", tb.name, err, tb.shot("failed-"+tb.name))
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
	ctx, cancel := context.WithTimeout(tb.ctx, 30*time.Second)
	defer cancel()
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf("(async () => JSON.stringify(await (%s)) ?? 'null')()", expr),
		chromedp.EvalAsValue, chromedp.EvalAwaitPromise))
	if err != nil {
		tb.t.Fatalf("%s: %s: %v\n%s", tb.name, expr, err, tb.shot("failed-"+tb.name))
	}
	if err := json.Unmarshal([]byte(raw), into); err != nil {
		tb.t.Fatalf("%s: %s gave %q: %v", tb.name, expr, raw, err)
	}
}

// until waits for something in the page to be true.
func (tb *tab) until(what, expr string) {
	tb.t.Helper()
	end := time.Now().Add(20 * time.Second)
	for ok := false; ; {
		tb.eval("Boolean("+expr+")", &ok)
		if ok {
			return
		}
		if time.Now().After(end) {
			tb.t.Fatalf("%s: not seen: %s\n%s", tb.name, what, tb.shot("failed-"+tb.name))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// shot writes a picture of the page to run/shots and returns where it is.
func (tb *tab) shot(name string) string {
	ctx, cancel := context.WithTimeout(tb.ctx, 10*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return "no picture: " + err.Error()
	}
	dir, _ := filepath.Abs("../../run/shots")
	_ = os.MkdirAll(dir, 0o755)
	path := filepath.Join(dir, name+".png")
	if err := os.WriteFile(path, png, 0o644); err != nil {
		return err.Error()
	}
	return "picture: " + path
}
