import { render } from "preact";
import "../shared/style.css";
import "../shared/alarm.css";
import "./member.css";
import { App } from "./app";

render(<App />, document.getElementById("app")!);
