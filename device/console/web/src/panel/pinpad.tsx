import { Button } from "../shared/ui";
import { useTexts } from "../texts";

const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

interface KeysProps {
  value: string;
  onChange: (value: string) => void;
}

/** Digits to touch, for a panel without a keyboard. */
export function PinPad({ value, onChange }: KeysProps) {
  const texts = useTexts();
  return (
    <div class="pin-pad" role="group" aria-label={texts.pin.pad}>
      {DIGITS.map((digit) => (
        <Button key={digit} action={`digit-${digit}`} onClick={() => onChange(value + digit)}>
          {digit}
        </Button>
      ))}
      <Button kind="tertiary" label={texts.pin.clear} action="clear" onClick={() => onChange("")}>
        C
      </Button>
      <Button action="digit-0" onClick={() => onChange(`${value}0`)}>
        0
      </Button>
      <Button kind="tertiary" icon="back" label={texts.pin.delete} action="delete" onClick={() => onChange(value.slice(0, -1))}>
        {""}
      </Button>
    </div>
  );
}

const ROWS = { de: ["1234567890", "qwertzuiop", "asdfghjkl", "yxcvbnm-"], en: ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm-"] };

/** Letters to touch: those that a host name is made of (RFC 1123), in the order of the language's keyboards. */
export function Keyboard({ value, onChange }: KeysProps) {
  const texts = useTexts();
  return (
    <div class="keyboard" role="group" aria-label={texts.owner.keys}>
      {ROWS[texts.lang === "de" ? "de" : "en"].map((row, i) => (
        <div class="keyboard-row" key={row}>
          {[...row].map((key) => (
            <Button key={key} action={`key-${key}`} onClick={() => onChange(value + key)}>
              {key}
            </Button>
          ))}
          {i === 3 && (
            <Button kind="tertiary" icon="back" label={texts.pin.delete} action="delete" onClick={() => onChange(value.slice(0, -1))}>
              {""}
            </Button>
          )}
        </div>
      ))}
    </div>
  );
}
