// Search without a server: browsers refuse to start a worker from a file, so the theme's search
// worker runs in a hidden frame. This takes effect only if the site is read from the file system.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.append(this.frame)
      const inner = this.frame.contentDocument
      inner.open()
      inner.write("<!doctype html><title>Search</title><body></body>")
      inner.close()
      this.inside = this.frame.contentWindow
      this.inside.postMessage = data =>
        this.dispatchEvent(new MessageEvent("message", { data }))
      const script = inner.createElement("script")
      script.src = new URL(url, document.baseURI).href
      this.loaded = new Promise(resolve => (script.onload = resolve))
      inner.body.append(script)
    }

    postMessage(data) {
      this.loaded.then(() =>
        this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data }))
      )
    }

    terminate() {
      this.frame.remove()
    }
  }
}
