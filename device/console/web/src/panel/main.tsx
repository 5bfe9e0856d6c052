import { render } from "preact";
import "../shared/style.css";
import "../shared/alarm.css";
import "./panel.css";
import "./house.css";
import "./service.css";
import { App } from "./app";

render(<App />, document.getElementById("app")!);
