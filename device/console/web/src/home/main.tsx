import { render } from "preact";
import "../shared/style.css";
import "./home.css";
import { Home } from "./home";

render(<Home />, document.getElementById("app")!);
