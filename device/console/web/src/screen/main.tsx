import { render } from "preact";
import "../shared/style.css";
import "./screen.css";
import { App } from "./app";

render(<App />, document.getElementById("app")!);
